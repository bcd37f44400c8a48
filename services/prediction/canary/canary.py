"""An ASGI layer that hands a share of the predictions to a candidate, and answers itself where that fails."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.control_protocol import Split
from services.prediction.asked import Asked
from services.prediction.canary.chosen import Chosen
from services.prediction.canary.connection import Answer, Connection, Headers
from services.prediction.observed.request_ids import HEADER as REQUEST_ID

# A candidate that does not answer so many times in a row is asked no more: it would make its clients wait.
MOST_FAILURES = 5
_SECONDS = 5.0
_IDLE_CONNECTIONS = 32
# The service puts these into every answer.
_OURS = (REQUEST_ID, b"date", b"keep-alive")
# Who names the revision wants this one.
_OF_A_VERSION = "/versions/"


def _uncounted() -> None:
    """Where nobody counts."""


class Canary:
    """Below the limits on requests, so that the body has come as a whole. Where the candidate has no answer the live
    release has one, and `count_failure` is called."""

    def __init__(self, app: ASGIApp, count_failure: Callable[[], object] = _uncounted) -> None:
        self._app, self._count_failure = app, count_failure
        self._idle = list[Connection]()
        self.split(None)

    def split(self, split: Split | None) -> None:
        """From here on; None for no candidate. What it was asked already it still answers."""
        for connection in self._idle:
            connection.close()
        self.current = split
        self._in_a_row = 0
        self._chosen = Chosen(split.share, split.sticky) if split else None
        self._sockets = cycle(split.targets) if split else iter(())
        self._idle = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.current or not self._takes(scope):
            await self._app(scope, receive, send)
            return
        message = await receive()
        if answer := await self._asked(self.current, scope, message.get("body", b"")):
            if asked := scope.get("asked"):
                asked.handed_on = True
            await _give(answer, send)
        else:
            await self._app(scope, _again(message, receive), send)

    def _takes(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST" or _OF_A_VERSION in scope["path"]:
            return False
        if self._in_a_row >= MOST_FAILURES:
            return False
        return self._chosen is not None and self._chosen.takes(scope["headers"])

    async def _asked(self, split: Split, scope: Scope, body: bytes) -> Answer | None:
        """None where the candidate has no answer: the live release has one, and a prediction changes nothing."""
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._ask(scope, body)
        except (OSError, TimeoutError):
            # It could not count this one itself.
            self._count_failure()
        else:
            if answer.status < 500:
                self._in_a_row = 0
                return answer
        if split is self.current:
            self._in_a_row += 1
        return None

    async def _ask(self, scope: Scope, body: bytes) -> Answer:
        asked = (scope["method"], _target(scope), _with_id(scope), body)
        idle = self._idle
        if idle:
            # One that the candidate has closed meanwhile says nothing of the candidate.
            with suppress(OSError):
                return await _ask_on(idle.pop(), idle, *asked)
        return await _ask_on(await Connection.open(next(self._sockets)), idle, *asked)


async def _ask_on(connection: Connection, idle: list[Connection], *asked: Any) -> Answer:
    try:
        answer = await connection.ask(*asked)
    except BaseException:
        connection.close()
        raise
    if connection.reusable and len(idle) < _IDLE_CONNECTIONS:
        idle.append(connection)
    else:
        connection.close()
    return answer


def _with_id(scope: Scope) -> Headers:
    """By its id a candidate knows a client's request from our own."""
    asked: Asked | None = scope.get("asked")
    found: Headers = scope["headers"]
    if asked is None:
        return found
    return [*(one for one in found if one[0] != REQUEST_ID), (REQUEST_ID, asked.request_id.encode())]


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return b"%s?%s" % (path, scope["query_string"]) if scope.get("query_string") else path


async def _give(answer: Answer, send: Send) -> None:
    headers = [*(one for one in answer.headers if one[0] not in _OURS), (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _again(message: Message, receive: Receive) -> Receive:
    messages = [message]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


class ForClients:
    """At the private socket: a live release hands its clients' requests on with their ids, and these are observed."""

    def __init__(self, app: ASGIApp, observed: ASGIApp) -> None:
        self._app, self._observed = app, observed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        of_a_client = scope["type"] == "http" and any(name == REQUEST_ID for name, _ in scope["headers"])
        await (self._observed if of_a_client else self._app)(scope, receive, send)
