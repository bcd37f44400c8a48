"""Asks one HTTP request again and again over so many connections, as lightly as Python can."""

import asyncio
from collections.abc import Sequence
from typing import Any

import uvloop

from services.contract.errors import Refused

_HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_LENGTH = b"content-length:"


def load(port: int, body: bytes, requests: int, connections: int) -> bytes:
    """The body of the last answer. Raises Refused for an answer other than 200."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(port, body, requests, connections))


async def _load(port: int, body: bytes, requests: int, connections: int) -> bytes:
    loop = asyncio.get_running_loop()
    shares = [len(range(place, requests, connections)) for place in range(connections)]
    askers = [_Asker(_HEAD % len(body) + body, share, loop.create_future()) for share in shares if share]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)  # type: ignore[misc]
    answers: Sequence[bytes] = await asyncio.gather(*(asker.ended for asker in askers))
    return answers[-1]


class _Asker(asyncio.Protocol):
    """One connection: the next request when the answer to the one before is whole."""

    def __init__(self, request: bytes, times: int, ended: "asyncio.Future[bytes]") -> None:
        self._request, self._left, self.ended = request, times, ended
        self._answer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.ended.set_exception(Refused(f"expected answers of 200, found {head[:40]!r}: {body[:200]!r}"))
            self._transport.close()
            return
        self._left -= 1
        if self._left:
            self._answer = b""
            self._transport.write(self._request)
        else:
            self.ended.set_result(body)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(Refused(f"expected an answer, found the connection closed: {error}"))


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH))
