"""Sends hostile requests over many connections, and judges each answer by what load on the machine cannot change."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from benchmarks.hostile_shapes import MARKER, Sent, hostile_request

HANG_SECONDS = 5.0
# Answered of those that were sent later: whoever is overtaken by so many is forgotten, not late.
OVERTAKEN = 1000
LOOK_SECONDS = 0.25
LONGEST_REFUSAL = 8 << 10
SLOW_CLIENTS = 100
MOST_EXAMPLES = 10
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r]*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


@dataclass
class Tally:
    """What was answered; `problems` have the number of their request, which makes it again with the seed."""

    statuses: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    hangs: int = 0
    errors: int = 0
    sent: int = 0
    unanswered: int = 0

    def add(self, number: int, sent: Sent, answer: bytes) -> None:
        self.sent += 1
        found = [int(status) for status in _STATUS.findall(answer)]
        self.unanswered += not found
        self.statuses.update(found)
        if problem := _problem(sent, answer, found):
            self.errors += any(status >= 500 for status in found)
            self.report(number, problem)

    def report(self, number: int, problem: str) -> None:
        if len(self.problems) < MOST_EXAMPLES:
            self.problems.append(f"request {number}: {problem}")

    def hung(self, number: int) -> None:
        self.hangs += 1
        self.report(number, f"expected an answer or an end, found none within {HANG_SECONDS:g} s")


def _problem(sent: Sent, answer: bytes, found: list[int]) -> str | None:
    if any(status >= 500 for status in found):
        if not all(status == 503 for status in found if status >= 500) or b"\r\nretry-after: " not in answer.lower():
            return f"expected no 5xx but an announced 503, found {found}"
    elif sent.status and set(found) != {sent.status}:
        return f"expected {sent.status}, found {found or 'the end of the connection'}"
    refused = not sent.status and found and all(status >= 400 for status in found)
    if refused and (MARKER.encode() in answer or len(answer) > LONGEST_REFUSAL * len(found)):
        return f"expected a short refusal without its input, found {len(answer)} bytes"
    return None


class Exchange(asyncio.Protocol):
    """One connection: `ask` sends and waits for one whole answer, or to its end."""

    def __init__(self) -> None:
        self.ended = False
        self._heard = bytearray()
        self._framed = False
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._framed and _is_whole(self._heard):
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  a reset is an end as well
        self.ended = True
        self._finish()

    async def ask(self, sent: Sent) -> bytes:
        self._heard, self._framed = bytearray(), sent.framed
        self._answer = asyncio.get_running_loop().create_future()
        if self.ended:
            return b""
        self.transport.write(sent.data)
        if not (sent.framed or sent.slow):
            self.transport.write_eof()
        return await self._answer

    def _finish(self) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(bytes(self._heard))


def _is_whole(heard: bytearray) -> bool:
    end = heard.find(b"\r\n\r\n")
    if end < 0 or heard.startswith(b"HTTP/1.1 1"):
        return False
    length = _LENGTH.search(heard, 0, end + 2)
    return bool(length) and len(heard) >= end + 4 + int(length[1])  # type: ignore[index]


@dataclass
class Pending:
    """`looks` are those that found it waiting, so that a time in which the attack itself stood still is one look."""

    exchange: Exchange
    sent_before: int
    looks: int = 0
    was_busy: bool = False


class Attack:
    """So many requests at a service on `port`, whose process is watched."""

    def __init__(self, port: int, service: psutil.Process, seed: int, connections: int) -> None:
        self.tally = Tally()
        self._port, self._service, self._seed = port, service, seed
        self._connections = connections
        self._pending: dict[int, Pending] = {}
        self._slow = asyncio.Semaphore(SLOW_CLIENTS)
        self._slow_tasks: set[asyncio.Task[None]] = set()

    async def run(self, numbers: range) -> None:
        watch = asyncio.create_task(self._watch())
        left = iter(numbers)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._client(left))
        await asyncio.gather(*self._slow_tasks)
        watch.cancel()
        await asyncio.wait([watch])

    async def _client(self, left: Iterator[int]) -> None:
        kept: Exchange | None = None
        for number in left:
            sent = hostile_request(self._seed, number)
            if sent.slow:
                await self._slow.acquire()
                self._begin_slow(number, sent)
                continue
            if kept is None or kept.ended or not sent.framed:
                exchange = await self._connect()
            else:
                exchange = kept
            await self._ask(number, sent, exchange)
            kept = exchange if sent.framed else kept
        if kept:
            kept.transport.close()

    def _begin_slow(self, number: int, sent: Sent) -> None:
        async def wait() -> None:
            try:
                await self._ask(number, sent, await self._connect())
            finally:
                self._slow.release()

        self._slow_tasks.add(task := asyncio.create_task(wait()))
        task.add_done_callback(self._slow_tasks.discard)

    async def _connect(self) -> Exchange:
        _, exchange = await asyncio.get_running_loop().create_connection(Exchange, "127.0.0.1", self._port)
        return exchange

    async def _ask(self, number: int, sent: Sent, exchange: Exchange) -> None:
        if not sent.slow:
            self._pending[number] = Pending(exchange, self.tally.sent)
        answer = await exchange.ask(sent)
        if sent.status and not answer and number in self._pending:
            # The service ends a connection on which nothing comes in time, which a busy machine may make of any.
            self._pending[number].exchange = exchange = await self._connect()
            answer = await exchange.ask(sent)
        if sent.slow or number in self._pending:
            self._pending.pop(number, None)
            self.tally.add(number, sent, answer)
        if not sent.framed or b"\r\nconnection: close\r\n" in answer:
            exchange.ended = True
            exchange.transport.abort()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look(self._service.status() == psutil.STATUS_SLEEPING)

    def look(self, service_sleeps: bool) -> None:
        """A request hangs when others overtake it, or when the service has not wanted to run since it was sent."""
        for number, one in list(self._pending.items()):
            one.looks += 1
            one.was_busy |= not service_sleeps
            overtaken = self.tally.sent - one.sent_before > OVERTAKEN
            if one.looks > HANG_SECONDS / LOOK_SECONDS and (overtaken or not one.was_busy):
                del self._pending[number]
                self.tally.hung(number)
                one.exchange.transport.abort()
