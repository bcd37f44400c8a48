"""Answers `POST /invocations` before anything else is asked, and passes on what it does not take for certain."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.prediction.answer_body import AnswerBody
from services.prediction.asked import note
from services.prediction.hot.batcher import Batcher
from services.prediction.hot.decoder import Decoder
from services.prediction.predictor import Predictor

PATH = "/invocations"
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_ARROW = b"arrow"


class HotRoute:
    """An ASGI application in front of `app`, which has the same answers and all errors."""

    def __init__(self, app: ASGIApp, predictor: Predictor, body: AnswerBody) -> None:
        manifest = predictor.manifest
        self._app, self._body = app, body
        self._decode = Decoder(manifest.inputs, manifest.limits.max_rows).decode
        self._submit = Batcher(predictor.answer).submit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        message = await receive()
        rows = None if message.get("more_body") else self._decode(message.get("body", b""))
        if rows and (answered := await self._submit(rows)):
            note(scope, rows, answered.predictions, answered.batch)
            await _send(self._body.of(answered.predictions), send)
        else:
            await self._app(scope, _again(message, receive), send)


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
