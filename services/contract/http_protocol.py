"""uvicorn's protocol with limits on whatever a client may make a connection wait for, hold or mean.

uvicorn has none of these with httptools, and h11's is for the bytes of headers only.
"""

import asyncio
import http
import json
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.contract.buffered_transport import BufferedTransport
from services.contract.connection_slots import ConnectionSlots
from services.contract.deadlines import NEVER, Deadlines
from services.contract.release import ServingLimits
from services.contract.request_shape import shape_problem

# A client that is still sending reads our answer instead of a reset.
DISCARD_BYTES = 8 << 20
DISCARD_SECONDS = 1.0
# That a client takes of an answer in the time in which a connection may be idle.
TAKEN_BYTES = 16 << 10
# What is not a connection needs descriptors as well.
OTHER_DESCRIPTORS = 200
# Requests of one connection that wait for their turn.
PIPELINED = 64
# Where a request's application finds why its body ended early: a status and words.
REFUSED = "refused"


@dataclass(frozen=True)
class HeadLimits:
    """Of a request's first line and headers; `seconds` from the connection, or from its first byte.

    `body_seconds` are those of a body, `idle_seconds` those between two requests and those in which a client takes
    nothing of its answer. `connections` are those of all peers, and fewer where the system gives this process fewer
    descriptors.
    """

    size: int = 32 << 10
    lines: int = 100
    seconds: float = 5.0
    body_seconds: float = 30.0
    idle_seconds: float = 15.0
    connections: int = 1000
    connections_a_peer: int = 500


LIMITS = HeadLimits()
GATEWAY = HeadLimits(connections=4000, connections_a_peer=4000)


def head_limits(serving: ServingLimits, gateway: bool) -> HeadLimits:
    """Of a model's service; a gateway is one peer for all of its clients, and may have all of the connections."""
    limits = HeadLimits(
        size=serving.header_bytes,
        lines=serving.header_lines,
        seconds=serving.header_seconds,
        body_seconds=serving.body_seconds,
        idle_seconds=serving.idle_seconds,
        connections=serving.max_connections,
        connections_a_peer=serving.max_connections_a_peer,
    )
    if not gateway:
        return limits
    most = max(GATEWAY.connections, serving.max_connections)
    return replace(limits, connections=most, connections_a_peer=most)


class Phase(Enum):
    """What a connection reads now; between requests it may have been sent a part of a head."""

    BETWEEN = "between two requests"
    HEAD = "a request's first line and headers"
    BODY = "a request's body"


def limited(limits: HeadLimits = LIMITS, headers: Sequence[tuple[bytes, bytes]] = ()) -> type["LimitedProtocol"]:
    """The protocol class of one server, whose connections share its slots. `headers` are of answers of its own."""
    slots = ConnectionSlots(_slot_count(limits.connections), limits.connections_a_peer)
    deadlines = Deadlines(min(limits.seconds, limits.body_seconds, limits.idle_seconds, DISCARD_SECONDS))
    ours = {"limits": limits, "slots": slots, "deadlines": deadlines, "own_headers": headers}
    return type("LimitedProtocol", (LimitedProtocol,), ours)


class LimitedProtocol(HttpToolsProtocol):
    limits: ClassVar[HeadLimits]
    slots: ClassVar[ConnectionSlots]
    deadlines: ClassVar[Deadlines]
    own_headers: ClassVar[Sequence[tuple[bytes, bytes]]]

    due = NEVER
    _phase = Phase.BETWEEN
    # Whose deadline is running.
    _awaited: Phase | None = None
    # Bytes: that may belong to a head, of the piece that is being read, that nobody reads, that a client has not taken.
    _unread = _piece = _discarded = _untaken = 0
    _unanswered = 0
    _refusal: tuple[int, str] | None = None
    _last_words = b""
    # Nothing that comes is read as a request any more; the client was told all that it will be told.
    _deaf = _mute = False
    _client_has_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(BufferedTransport(transport, self.loop, self._lingers))  # type: ignore[arg-type]
        self._await(Phase.HEAD, self.limits.seconds)
        self.deadlines.add(self, self.loop)
        if not self.slots.acquire(self, self.client[0] if self.client else ""):
            self._refuse(503, "all connections are in use: try again in a second")

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadlines.discard(self)
        self.slots.release(self)
        super().connection_lost(exc)

    def evict(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._deaf or (self._phase is Phase.BODY and self.cycle.response_complete):
            self._discarded += len(data)
            if self._discarded > DISCARD_BYTES:
                self.transport.abort()
                return
        if self._deaf:
            return
        self._piece = len(data)
        self._unread += self._piece
        self._feed(data)
        if self._unread or self._phase is not Phase.BETWEEN:
            self._wait_for_the_rest()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client may close its side when it has asked, and still be there to read the answer."""
        self._client_has_ended = True
        if self._mute:
            return False
        if self._unread or self._phase is not Phase.BETWEEN:
            self._refuse(400, "expected a whole request, found its end missing: send it whole")
        elif self._unanswered:
            self._deaf, self.cycle.keep_alive = True, False
        else:
            self.transport.close()
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_a_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._awaited, self.due = None, NEVER
        if self._phase is Phase.BETWEEN and not self._unanswered:
            self._set_due(self.limits.idle_seconds)
        elif self.parser:
            self._wait_for_the_rest()

    def on_message_begin(self) -> None:
        if self._unanswered > PIPELINED:
            raise self._refused(503, f"expected at most {PIPELINED} requests ahead of their answers: send fewer")
        self._phase = Phase.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes after a body must not become one of the headers that were looked at before.
        if self._phase is Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_size()
        version = self.parser.get_http_version()
        if problem := shape_problem(version, self.url, self.headers):
            raise self._refused(*problem)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise self._refused(400, "expected a request of this service, found one for a tunnel")
            return
        self._phase, self._awaited, self.due, self._unread = Phase.BODY, None, NEVER, 0
        self._unanswered += 1
        self.slots.mark_busy(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._phase is Phase.BODY:
            self._unread = 0
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._phase is not Phase.BODY:
            return
        self._phase, self._awaited, self._unread, self._discarded = Phase.BETWEEN, None, 0, 0
        self.due = NEVER
        super().on_message_complete()
        if self.cycle.response_complete and not self._unanswered:
            self._rest()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._unanswered -= 1
        if self.transport.is_closing() or self._mute:
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            self._wait_for_the_rest()
        elif self._last_words:
            self._say_last_words()
        elif self._phase is Phase.BODY:
            self._awaited = Phase.BODY
            self._set_due(DISCARD_SECONDS)
        else:
            self._rest()

    def at_due(self) -> None:
        if self._mute or self.transport.is_closing() or self.flow.write_paused:
            self._end_unless_it_reads()
        elif self._phase is Phase.BODY and self.cycle.response_complete:
            self.transport.abort()
        elif self._phase is Phase.BODY:
            self._refuse(408, f"expected the body within {self.limits.body_seconds:g} s, it was slower")
        elif self._unread or self._phase is Phase.HEAD:
            self._refuse(408, f"expected the headers within {self.limits.seconds:g} s, they were slower")
        else:
            self.transport.close()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._phase is Phase.HEAD:
                self._feed(self._head_without_upgrade() + data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or (400, "expected an HTTP request, found something else")))

    def _head_without_upgrade(self) -> bytes:
        """An offer to go on in another protocol is not taken up; httptools would take the rest for that protocol."""
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + self.parser.get_http_version().encode()]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _check_size(self) -> None:
        """Counts only where there may be too much: what has come since the last request is an upper bound."""
        most = self.limits.size
        if self._unread <= most and self._piece <= most and len(self.headers) <= self.limits.lines:
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.limits.size or len(self.headers) > self.limits.lines:
            expected = f"{self.limits.lines} headers in {self.limits.size} bytes"
            raise self._refused(431, f"expected at most {expected}, found more: send fewer")

    def _refused(self, status: int, text: str) -> Exception:
        self._refusal = status, text
        return httptools.HttpParserError()

    def _wait_for_the_rest(self) -> None:
        if self._deaf or self.transport.is_closing():
            return
        # What neither ended a head nor was a body: a line without an end, trailers, notes beside chunks.
        if self._unread > self.limits.size:
            self._refuse(431, f"expected at most {self.limits.size} bytes of headers, found more: send fewer")
        elif self._phase is Phase.BODY and self._unanswered <= 1:
            self._await(Phase.BODY, self.limits.body_seconds)
        elif self._phase is not Phase.BODY and not self._unanswered:
            self._await(Phase.HEAD, self.limits.seconds)

    def _await(self, phase: Phase, seconds: float) -> None:
        if self._awaited is not phase:
            self._awaited = phase
            self._set_due(seconds)

    def _rest(self) -> None:
        self.slots.mark_idle(self)
        if self._unread or self._phase is Phase.HEAD:
            self._await(Phase.HEAD, self.limits.seconds)
        else:
            self._set_due(self.limits.idle_seconds)

    def _set_due(self, seconds: float) -> None:
        self.due = self.loop.time() + seconds

    def _refuse(self, status: int, text: str) -> None:
        """Says why and closes, after the answers to what was asked before."""
        if self._deaf:
            return
        self._deaf, self.due = True, NEVER
        if self._phase is Phase.BODY and self._break_off((status, text)):
            return
        self._last_words = self._answer(status, text)
        if not self._unanswered:
            self._say_last_words()

    def _break_off(self, refusal: tuple[int, str]) -> bool:
        """The request whose body does not end well; True when its answer had begun already."""
        broken = self.cycle
        if broken.response_started:
            self.transport.abort()
            return True
        self._unanswered -= 1
        scope: dict[str, Any] = broken.scope  # type: ignore[assignment]
        scope[REFUSED] = refusal
        broken.disconnected = True
        broken.message_event.set()
        if self.pipeline and self.pipeline[0][0] is broken:
            self.pipeline.popleft()
        return False

    def _say_last_words(self) -> None:
        self.transport.write(self._last_words)
        self._linger()

    def _lingers(self) -> bool:
        """At a close: whether the client is still sending, and would lose what it was told to a reset."""
        if self._phase is Phase.BODY and not (self._mute or self._client_has_ended):
            self._linger()
            return True
        self._mute = self._deaf = True
        self._wait_for_a_reader()
        return False

    def _wait_for_a_reader(self) -> None:
        self._untaken = self.transport.get_write_buffer_size()
        self._set_due(self.limits.idle_seconds)

    def _end_unless_it_reads(self) -> None:
        before = self._untaken
        self._wait_for_a_reader()
        if not 0 < self._untaken <= before - TAKEN_BYTES:
            self.transport.abort()

    def _linger(self) -> None:
        """Says no more and reads a little, so that what was said is not lost."""
        self._deaf = self._mute = True
        if self._client_has_ended:
            self.transport.close()
            return
        self.transport.write_eof()
        self._wait_for_a_reader()
        self._set_due(DISCARD_SECONDS)

    def _answer(self, status: int, text: str) -> bytes:
        body = json.dumps({"error": text, "problems": [], "message": text}).encode()
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
        headers = (*self.own_headers, *self.server_state.default_headers)
        lines += [name + b": " + value for name, value in headers if name != b"connection"]
        lines += [b"retry-after: 1"] if status == 503 else []
        lines += [b"content-type: application/json", f"content-length: {len(body)}".encode(), b"connection: close"]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _slot_count(wanted: int) -> int:
    given = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if given == resource.RLIM_INFINITY else max(1, min(wanted, given - OTHER_DESCRIPTORS))
