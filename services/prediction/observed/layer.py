"""The outermost layer of the public application: an id for each request, and what was seen of its answer."""

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Protocol

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.http_guard import SAFE_METHODS
from services.prediction.asked import Asked
from services.prediction.observed.answered import Answered
from services.prediction.observed.figures import Figures
from services.prediction.observed.request_ids import HEADER, RequestIds

# Of a client that has gone before its answer; nginx calls it so.
GONE = 499
log = logging.getLogger(__name__)
Headers = Sequence[tuple[bytes, bytes]]


class Noting(Protocol):
    """Who is told of answers: of those that it wants."""

    def wants(self, scope: Scope, asked: Asked) -> bool: ...

    def note(self, answered: Answered) -> None: ...


class Observed:
    """An ASGI application. `noting` are told of answers; only what is no GET is counted in the figures.

    `wanted` says by the id of a request whether it is one for the prediction log. `headers` name what answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        figures: Figures,
        noting: Sequence[Noting] = (),
        wanted: Callable[[str], bool] | None = None,
        headers: Headers = (),
    ) -> None:
        self._app = app
        self._figures = figures
        self._noting = tuple(noting)
        self._wanted, self._headers = wanted, headers
        self._ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = self._ids.find(scope["headers"])
        asking = scope["method"] not in SAFE_METHODS
        asked = scope["asked"] = Asked(request_id, self._wanted(request_id) if asking and self._wanted else False)
        answer = _Answer(send, asked, self._headers)
        begun = perf_counter()
        if asking:
            self._figures.begin()
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if answer.begun:
                raise
            log.exception("request %s failed", request_id)
            await answer.fail()
        finally:
            seconds = perf_counter() - begun
            if asking:
                self._count(answer.status, seconds, asked)
            for one in self._noting:
                if not asked.handed_on and one.wants(scope, asked):
                    _note(one, Answered.now(scope, asked, answer.status, seconds))

    def _count(self, status: int, seconds: float, asked: Asked) -> None:
        if asked.handed_on:
            self._figures.end_handed_on()
        else:
            self._figures.end(status, seconds, asked.rows, asked.batch, asked.first, asked.row)


def _note(one: Noting, answered: Answered) -> None:
    try:
        one.note(answered)
    # The answer is with its client already.
    except Exception:
        log.exception("request %s could not be noted", answered.asked.request_id)


class _Answer(msgspec.Struct, gc=False):
    """One answer on its way, to which the id of its request is added, and the headers unless a candidate gave it."""

    pass_on: Send
    asked: Asked
    headers: Headers
    status: int = GONE

    @property
    def begun(self) -> bool:
        return self.status != GONE

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            ours = () if self.asked.handed_on else self.headers
            message["headers"] = [*message.get("headers", ()), *ours, (HEADER, self.asked.request_id.encode())]
        return self.pass_on(message)

    async def fail(self) -> None:
        error = f"an error of the service: its log has request {self.asked.request_id}"
        body = json.dumps({"error": error, "problems": []})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body.encode()})
