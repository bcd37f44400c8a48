"""Clients that ask one question of a server again and again, and count every answer and every failure.

For benchmarks that measure a server, and for tests that demand that no request fails while something happens to it.
"""

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

from services.contract import names

JSON = "application/json"
_TOLD = 200
# A server that refuses is not asked as fast as one that answers.
_AFTER_FAILURE = 0.01
_LOOKS = 20


@dataclass(frozen=True)
class Question:
    """One request, encoded once. `header` is the header of its answers whose values are counted."""

    host: str
    port: int
    request: bytes
    header: bytes = names.RELEASE_HEADER.lower().encode()

    @classmethod
    def post(cls, url: str, body: bytes, header: str = names.RELEASE_HEADER, content_type: str = JSON) -> "Question":
        """`url` is an absolute one of plain HTTP."""
        address = urlsplit(url)
        head = (
            f"POST {address.path or '/'} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return cls(address.hostname or "", address.port or 80, head.encode() + body, header.lower().encode())


@dataclass(frozen=True)
class Way:
    """How one client asks: over a connection that it keeps or over a new one each time, with a pause after each answer.

    A client that is mostly idle keeps its connection and has a long pause.
    """

    keeps: bool = True
    pause: float = 0.0


@dataclass
class Heard:
    """What clients have met so far.

    `answers` counts answers with status 200 by the value of the question's header, `seconds` is how long each took.
    `failures` has a line for anything else: another status, a refusal, a reset, an answer that does not come in time,
    and the end of a kept connection that no `Connection: close` has announced. Nothing is asked twice. `judge` is told
    of each answer: what the header said, when the connection was opened, when it was asked, whether it is the last one.
    """

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    judge: Callable[[str, float, float, bool], None] | None = None


class Load:
    """Some clients of one question, in the event loop in which `run` is awaited."""

    def __init__(
        self,
        question: Question,
        timeout: float = 60.0,
        judge: Callable[[str, float, float, bool], None] | None = None,
    ) -> None:
        self.heard = Heard(judge=judge)
        self._question, self._timeout = question, timeout
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Each client ends after its answer; from another thread by `call_soon_threadsafe`."""
        self._stopped.set()

    async def run(self, ways: Iterable[Way]) -> None:
        """Asks until `stop`, and until each question that was asked has its answer or its failure."""
        clients = [_Client(self._question, way, self.heard) for way in ways]
        watching = asyncio.create_task(self._watch(clients))
        await self._stopped.wait()
        for client in clients:
            client.stop()
        await asyncio.gather(*(client.ended for client in clients))
        watching.cancel()

    async def _watch(self, clients: Iterable["_Client"]) -> None:
        """One look at all of them now and then costs nothing, where a timer for each question would."""
        while True:
            await asyncio.sleep(self._timeout / _LOOKS)
            for client in clients:
                client.give_up_after(self._timeout)


class _Client:
    """Goes on by itself from its making until `stop`, by what its connection tells it."""

    def __init__(self, question: Question, way: Way, heard: Heard) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._question, self._way, self._heard = question, way, heard
        self._loop = asyncio.get_running_loop()
        self._connection: _Connection | None = None
        self._next: asyncio.TimerHandle | None = None
        self._asked: float | None = None
        self._opened = 0.0
        self._stopping = False
        self._go_on()

    def stop(self) -> None:
        self._stopping = True
        if self._next:
            self._next.cancel()
            self._end()

    def give_up_after(self, seconds: float) -> None:
        if self._asked is not None and time.perf_counter() - self._asked > seconds:
            self._failed(f"TimeoutError: expected an answer within {seconds:g} s, found none")

    def connected(self, connection: "_Connection") -> None:
        if self._asked is None:
            connection.abort()
            return
        self._connection = connection
        connection.send(self._question.request)

    def answered(self, status: int, told: bytes, answerer: str, last: bool) -> None:
        if self._asked is None:
            self._failed(f"expected an answer to each question, found one more: status {status}")
            return
        if status != 200:
            self._heard.failures.append(f"status {status}: {told.decode(errors='replace')}")
        else:
            self._heard.answers[answerer] += 1
            self._heard.seconds.append(time.perf_counter() - self._asked)
            if self._heard.judge:
                self._heard.judge(answerer, self._opened, self._asked, last)
        if last or not self._way.keeps:
            self._leave()
        self._pause(self._way.pause)

    def lost(self, connection: "_Connection", reason: str) -> None:
        """What it closed itself is not lost."""
        if connection is self._connection:
            self._failed(reason)

    def _failed(self, reason: str) -> None:
        self._heard.failures.append(reason)
        self._leave()
        if self._next:
            self._next.cancel()
        self._pause(max(self._way.pause, _AFTER_FAILURE))

    def _leave(self) -> None:
        if self._connection:
            self._connection.abort()
        self._connection = None

    def _pause(self, seconds: float) -> None:
        self._asked = self._next = None
        if self._stopping:
            self._end()
        elif seconds:
            self._next = self._loop.call_later(seconds, self._go_on)
        else:
            self._go_on()

    def _end(self) -> None:
        self._leave()
        if not self.ended.done():
            self.ended.set_result(None)

    def _go_on(self) -> None:
        self._next, self._asked = None, time.perf_counter()
        if self._connection:
            self._connection.send(self._question.request)
        else:
            self._opened = self._asked
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        question, asked = self._question, self._asked
        try:
            await self._loop.create_connection(lambda: _Connection(self, question.header), question.host, question.port)
        except OSError as error:
            if self._asked == asked:
                self._failed(f"{type(error).__name__}: {error}")


class _Connection(asyncio.Protocol):
    """Reads the answers for its client; httptools calls it while it reads one."""

    def __init__(self, client: _Client, header: bytes) -> None:
        self._client, self._header = client, header
        self._parser = httptools.HttpResponseParser(self)
        self._told, self._answerer = b"", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own is a transport in all but its class.
        self._transport = cast(asyncio.Transport, transport)
        self.send, self.abort = self._transport.write, self._transport.abort
        self._client.connected(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._client.lost(self, f"{type(error).__name__}: expected HTTP, found {data[:40]!r}")

    def connection_lost(self, error: Exception | None) -> None:
        self._client.lost(self, f"{type(error).__name__}: {error}" if error else "the server closed the connection")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == self._header:
            self._answerer = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        if len(self._told) < _TOLD:
            self._told = (self._told + body)[:_TOLD]

    def on_message_complete(self) -> None:
        told, answerer, self._told, self._answerer = self._told, self._answerer, b"", ""
        self._client.answered(self._parser.get_status_code(), told, answerer, not self._parser.should_keep_alive())
