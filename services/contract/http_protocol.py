"""uvicorn's protocol with limits on what comes before a request is known: bytes, lines, seconds, connections.

uvicorn has none of these with httptools, and h11's is for bytes only.
"""

import asyncio
import http
import json
import resource
from dataclasses import dataclass
from typing import ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.contract.buffered_transport import BufferedTransport
from services.contract.connection_slots import ConnectionSlots

# A client that is still sending reads our answer instead of a reset.
DISCARD_BYTES = 1 << 20
DISCARD_SECONDS = 1.0
# What is not a connection needs descriptors as well.
OTHER_DESCRIPTORS = 200


@dataclass(frozen=True)
class HeadLimits:
    """Of a request's first line and headers; `seconds` from the connection, or from its first byte.

    `connections` are those of all peers, and fewer where the system gives this process fewer descriptors.
    """

    size: int = 32 << 10
    lines: int = 100
    seconds: float = 5.0
    connections: int = 1000
    connections_a_peer: int = 500


LIMITS = HeadLimits()
GATEWAY = HeadLimits(connections=4000, connections_a_peer=4000)


def limited(limits: HeadLimits = LIMITS) -> type["LimitedProtocol"]:
    """The protocol class of one server, whose connections share its slots."""
    slots = ConnectionSlots(_slot_count(limits.connections), limits.connections_a_peer)
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits, "slots": slots})


class LimitedProtocol(HttpToolsProtocol):
    limits: ClassVar[HeadLimits]
    slots: ClassVar[ConnectionSlots]

    _ahead_of_request, _begun = True, False
    _size = _lines = 0
    _unread = 0
    _refusal: tuple[int, str] | None = None
    _refused = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(BufferedTransport(transport, self.loop))  # type: ignore[arg-type]
        self._start_timer()
        if not self.slots.acquire(self, self.client[0] if self.client else ""):
            self._refuse(503, "all connections are in use: try again in a second")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.slots.release(self)
        super().connection_lost(exc)

    def evict(self) -> None:
        self._stop_timer()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        if self._refused:
            if self._unread > DISCARD_BYTES:
                self.transport.abort()
            return
        if self._ahead_of_request and not self._timer:
            self._start_timer()
        super().data_received(data)
        # What neither ended a head nor was a body: a line without an end, trailers, notes beside chunks.
        if self._unread > self.limits.size and not self.transport.is_closing() and not self._refused:
            self._refuse(431, f"expected at most {self.limits.size} bytes of headers, found more: send fewer")

    def on_message_begin(self) -> None:
        self._size, self._lines, self._begun = 0, 0, True
        if not self._timer:
            self._start_timer()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._ahead_of_request = self._begun = False
        self._unread = 0
        self.slots.mark_busy(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._ahead_of_request = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        if self._ahead_of_request:
            self.slots.mark_idle(self)
        else:
            # The rest of a body that nobody reads may take for ever.
            self._linger()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  ours says more
        """uvicorn's answer to what its parser, or our count, does not go on with."""
        self._refuse(*(self._refusal or (400, "expected an HTTP request, found something else")))

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self.limits.size or self._lines > self.limits.lines:
            expected = f"{self.limits.lines} headers in {self.limits.size} bytes"
            self._refusal = (431, f"expected at most {expected}, found more: send fewer")
            raise httptools.HttpParserError

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if self._begun or self._unread:
            self._refuse(408, f"expected the headers within {self.limits.seconds:g} s, they were slower")
        else:
            self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        """Says why and closes; a connection on which something is being answered is only closed."""
        self._stop_timer()
        if self.cycle and not self.cycle.response_complete:
            self.transport.close()
            return
        self.transport.write(self._answer(status, text))
        self._linger()

    def _linger(self) -> None:
        """Says no more and reads a little, so that what was said is not lost."""
        self._refused, self._unread = True, 0
        self.transport.write_eof()
        self._timer = self.loop.call_later(DISCARD_SECONDS, self.transport.abort)

    def _answer(self, status: int, text: str) -> bytes:
        body = json.dumps({"error": text, "problems": [], "message": text}).encode()
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in self.server_state.default_headers]
        lines += [b"content-type: application/json", f"content-length: {len(body)}".encode(), b"connection: close"]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _slot_count(wanted: int) -> int:
    given = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if given == resource.RLIM_INFINITY else max(1, min(wanted, given - OTHER_DESCRIPTORS))
