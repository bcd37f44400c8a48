"""Limits on a request before it is parsed: the bytes of its body, and how many are answered at once.

A request that comes whole costs a few comparisons. How long a body may take is kept by the connection's protocol.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.http_protocol import REFUSED
from services.contract.release import ServingLimits
from services.prediction.invalid import Invalid, answer_invalid
from services.prediction.json_shape import SHORT_BYTES, count_lists

WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
_CUT_OFF = 400, "expected the whole body, the connection was closed before its end"


class RequestLimiter:
    """An ASGI application that refuses what is over the limits before it is parsed, and passes the rest on.

    Unfinished bodies take no place of a request, so that slow clients keep nobody out: together they have the memory of
    `max_requests` whole ones.
    """

    def __init__(self, app: ASGIApp, limits: ServingLimits) -> None:
        self._app = app
        self._limits = limits
        self._max_bytes, self._max_requests = limits.max_bytes, limits.max_requests
        self._most_waiting = limits.max_bytes * limits.max_requests
        self._requests = self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY:
            return await self._app(scope, receive, send)
        try:
            if self._requests >= self._max_requests:
                raise self._busy()
            self._check_headers(scope["headers"])
            first = await receive()
            if first.get("more_body", True):
                first = await self._whole(first, scope, receive)
            elif len(first["body"]) > self._max_bytes:
                raise self._too_large()
            if len(first["body"]) > SHORT_BYTES:
                self._check_lists(first["body"], scope["headers"])
            await self._passed_on(first, scope, receive, send)
        except Invalid as refusal:
            await answer_invalid(refusal)(scope, receive, send)

    def _check_lists(self, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        is_json = any(name == b"content-type" and b"json" in value.lower() for name, value in headers)
        if is_json and count_lists(body, self._limits.most_lists) > self._limits.most_lists:
            expected = f"expected at most {self._limits.most_lists} lists and objects"
            raise Invalid(413, f"{expected}, found more: send the rows in parts")

    async def _passed_on(self, body: Message, scope: Scope, receive: Receive, send: Send) -> None:
        if self._requests >= self._max_requests:
            raise self._busy()
        self._requests += 1
        try:
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._requests -= 1

    def _check_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            if name == b"content-length":
                length = value.strip(b" \t")
                if len(length) > 15 or int(length) > self._max_bytes:
                    raise self._too_large()
            elif name == b"content-encoding" and value.strip(b" \t").lower() != b"identity":
                raise Invalid(415, "expected a plain body, found a compressed one")

    async def _whole(self, message: Message, scope: Scope, receive: Receive) -> Message:
        content = bytearray()
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise Invalid(*scope.get(REFUSED, _CUT_OFF))
                part = message.get("body", b"")
                content += part
                self._waiting += len(part)
                if len(content) > self._max_bytes:
                    raise self._too_large()
                if not message.get("more_body", False):
                    return {"type": "http.request", "body": bytes(content), "more_body": False}
                if self._waiting > self._most_waiting:
                    raise Invalid(503, "too many bodies are on their way already: try again in a second")
                message = await receive()
        finally:
            self._waiting -= len(content)

    def _busy(self) -> Invalid:
        return Invalid(503, f"{self._requests} requests are being answered already: try again in a second")

    def _too_large(self) -> Invalid:
        return Invalid(413, f"expected at most {self._max_bytes} bytes, found more: send the rows in parts")


def _replay(body: Message, receive: Receive) -> Receive:
    """Receives the body that was read, once; then what the client sends after it."""
    messages = [body]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
