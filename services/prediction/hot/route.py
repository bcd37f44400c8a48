"""Answers `POST /invocations` before anything else is asked, and passes on what it does not take for certain."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.prediction.answer_body import AnswerBody
from services.prediction.asked import note
from services.prediction.hot.batcher import Batcher
from services.prediction.hot.decoder import Decoder
from services.prediction.hot.large import LargeRequests
from services.prediction.predictor import Predictor
from services.prediction.turns import FIRST, SMALL_BYTES, Turns

PATH = "/invocations"
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_ARROW = b"arrow"


class HotRoute:
    """An ASGI application in front of `app`, which has the same answers and all errors."""

    def __init__(self, app: ASGIApp, predictor: Predictor, body: AnswerBody, turns: Turns) -> None:
        manifest = predictor.manifest
        decoder = Decoder(manifest.inputs, manifest.limits.max_rows)
        self._app, self._body = app, body
        self._decode = decoder.decode
        self._submit = Batcher(predictor.answer).submit
        self._large = LargeRequests(decoder, predictor.answer, body, turns)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        message = await receive()
        content = None if message.get("more_body") else message.get("body", b"")
        if content and (answer := await self._answered(content, scope)):
            await _send(answer, send)
        else:
            await self._app(scope, _again(message, receive), send)

    async def _answered(self, content: bytes, scope: Scope) -> bytes | None:
        if len(content) > SMALL_BYTES:
            return await self._large.answer(content, scope)
        if not (rows := self._decode(content)):
            return None
        if len(rows) > FIRST:
            return await self._large.answer_rows(rows, scope)
        if not (answered := await self._submit(rows)):
            return None
        note(scope, rows, answered.predictions, answered.batch)
        return self._body.of(answered.predictions)


def _is_json(scope: Scope) -> bool:
    """And answered in JSON; of a header that is given twice the first counts, as for the general way."""
    media = None
    for name, value in scope["headers"]:
        if name == b"content-type" and media is None:
            media = value
        elif name == b"accept" and _ARROW in value:
            return False
    return media in _JSON


async def _send(body: bytes, send: Send) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _again(message: Message, receive: Receive) -> Receive:
    """Receives a message that was received already, and then what comes after it."""
    messages = [message]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
