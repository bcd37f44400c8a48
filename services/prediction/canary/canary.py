"""An ASGI layer that hands a share of the predictions to a candidate, or shows it copies of them."""

from collections.abc import Awaitable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.control_protocol import Split
from services.prediction.canary.candidate import Candidate, Count
from services.prediction.canary.chosen import Chosen
from services.prediction.canary.connection import Answer
from services.prediction.canary.shadow import Heard, Shadow
from services.prediction.observed.request_ids import HEADER as REQUEST_ID

# The service puts these into every answer.
_OURS = (REQUEST_ID, b"date", b"keep-alive")
# Who names the revision wants this one.
_OF_A_VERSION = "/versions/"


class _Standing(NamedTuple):
    """What a split has brought; `shadow` where the candidate's answers are compared, and given to nobody."""

    chosen: Chosen
    candidate: Candidate
    shadow: Shadow | None

    @classmethod
    def of(cls, split: Split, count: Count) -> "_Standing":
        candidate = Candidate(split, count)
        shadow = Shadow(split, candidate, count) if split.shadow else None
        return cls(Chosen(split.share, split.sticky), candidate, shadow)

    def close(self) -> None:
        if self.shadow:
            self.shadow.close()
        self.candidate.close()


class Canary:
    """Below the limits on requests, so that the body has come as a whole. Where the candidate has no answer the live
    release has one. `count` adds to the figures."""

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self._app, self._count = app, count
        self._standing: _Standing | None = None

    def split(self, split: Split | None) -> None:
        """From here on; None for no candidate. What was handed on is answered still, copies on their way are not."""
        if self._standing:
            self._standing.close()
        self._standing = _Standing.of(split, self._count) if split else None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # No coroutine of its own, since mostly there is no candidate.
        standing = self._standing
        if standing is None or not _is_chosen(standing, scope):
            return self._app(scope, receive, send)
        if standing.shadow:
            return self._shown(standing.shadow, scope, receive, send)
        return self._handed_on(standing.candidate, scope, receive, send)

    async def _handed_on(self, candidate: Candidate, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        # A prediction changes nothing, so the live release can be asked as well.
        if answer := await candidate.answer(scope, message.get("body", b""), []):
            scope["asked"].handed_on = True
            await _give(answer, send)
        else:
            await self._app(scope, _again(message, receive), send)

    async def _shown(self, shadow: Shadow, scope: Scope, receive: Receive, send: Send) -> None:
        message, heard = await receive(), Heard(send)
        await self._app(scope, _again(message, receive), heard.send)
        shadow.follow(scope, message.get("body", b""), heard)


def _is_chosen(standing: _Standing, scope: Scope) -> bool:
    """Of the clients' requests: a check of the rollout service's, which nobody observes, is for this release."""
    if scope["type"] != "http" or scope["method"] != "POST" or _OF_A_VERSION in scope["path"]:
        return False
    if not (asked := scope.get("asked")):
        return False
    return standing.chosen.takes(scope["headers"], asked.request_id) and standing.candidate.may_be_asked()


async def _give(answer: Answer, send: Send) -> None:
    headers = [*(one for one in answer.headers if one[0] not in _OURS), (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _again(message: Message, receive: Receive) -> Receive:
    messages = [message]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
