"""Limits on a request before it is parsed: the bytes and seconds of its body, and how many are answered at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.release import ServingLimits
from services.prediction.invalid import Invalid, answer_invalid

WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
# Enough that a client which is still sending reads our answer instead of a reset.
DISCARD_BYTES = 8 << 20
DISCARD_SECONDS = 1.0
SLOW = 408


class Body:
    """The parts of one request's body as they come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def parts(self) -> AsyncIterator[bytes]:
        while not self._ended:
            message = await self._receive()
            self._ended = not message.get("more_body", False)
            if message["type"] == "http.disconnect":
                raise Invalid(400, "expected the whole body, the connection was closed before its end")
            yield message.get("body", b"")

    async def discard(self) -> None:
        left = DISCARD_BYTES
        with suppress(TimeoutError, Invalid):
            async with asyncio.timeout(DISCARD_SECONDS):
                async for part in self.parts():
                    if (left := left - len(part)) < 0:
                        return


class RequestLimiter:
    """An ASGI application that refuses what is over the limits before it is parsed, and passes the rest on."""

    def __init__(self, app: ASGIApp, limits: ServingLimits) -> None:
        self._app = app
        self._limits = limits
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY:
            return await self._app(scope, receive, send)
        body = Body(receive)
        try:
            with self._counted():
                self._check_headers(dict(scope["headers"]))
                await self._app(scope, _replay(await self._read(body), receive), send)
        except Invalid as refusal:
            # A body that is late already is not waited for again.
            if refusal.status != SLOW:
                await body.discard()
            await answer_invalid(refusal)(scope, receive, send)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._requests >= self._limits.max_requests:
            raise Invalid(503, f"{self._requests} requests are being answered already: try again in a second")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    def _check_headers(self, headers: dict[bytes, bytes]) -> None:
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Invalid(415, "expected a plain body, found a compressed one")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15 or int(length) > self._limits.max_bytes:
            raise self._too_large()

    async def _read(self, body: Body) -> bytes:
        content = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for part in body.parts():
                    content += part
                    if len(content) > self._limits.max_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise Invalid(SLOW, f"expected the body within {self._limits.body_seconds:g} s, it was slower") from None
        return bytes(content)

    def _too_large(self) -> Invalid:
        return Invalid(413, f"expected at most {self._limits.max_bytes} bytes, found more: send the rows in parts")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Receives the body that was read, once; then what the client sends after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
