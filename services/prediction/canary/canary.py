"""An ASGI layer that hands a share of the predictions to a candidate, and answers itself where that fails."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.prediction.canary.chosen import Chosen
from services.prediction.canary.connection import Answer, Connection

# A candidate that does not answer so many times in a row is asked no more: it would make its clients wait.
MOST_FAILURES = 5
_SECONDS = 5.0
_IDLE_CONNECTIONS = 32


@dataclass(frozen=True)
class Split:
    """`socket` is the candidate's private one."""

    socket: str
    share: float
    sticky: str | None = None


class Canary:
    """Below the limits on requests, so that the body has come as a whole. `failures` are those of this candidate."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._idle = list[Connection]()
        self.split(None)

    def split(self, split: Split | None) -> None:
        """From here on; None for no candidate. What it was asked already it still answers."""
        for connection in self._idle:
            connection.close()
        self.current = split
        self.failures = self._in_a_row = 0
        self._chosen = Chosen(split.share, split.sticky) if split else None
        self._idle = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.current or not self._takes(scope):
            await self._app(scope, receive, send)
            return
        message = await receive()
        if answer := await self._asked(self.current, scope, message.get("body", b"")):
            await _give(answer, send)
        else:
            await self._app(scope, _again(message, receive), send)

    def _takes(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST" or self._in_a_row >= MOST_FAILURES:
            return False
        return self._chosen is not None and self._chosen.takes(scope["headers"])

    async def _asked(self, split: Split, scope: Scope, body: bytes) -> Answer | None:
        """None where the candidate has no answer: the live release has one, and a prediction changes nothing."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                answer = await self._ask(split, scope, body)
            if answer.status < 500:
                self._in_a_row = 0
                return answer
        if split is self.current:
            self.failures += 1
            self._in_a_row += 1
        return None

    async def _ask(self, split: Split, scope: Scope, body: bytes) -> Answer:
        asked = (scope["method"], _target(scope), scope["headers"], body)
        idle = self._idle
        if idle:
            # One that the candidate has closed meanwhile says nothing of the candidate.
            with suppress(OSError):
                return await _ask_on(idle.pop(), idle, *asked)
        return await _ask_on(await Connection.open(split.socket), idle, *asked)


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


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return b"%s?%s" % (path, scope["query_string"]) if scope.get("query_string") else path


async def _give(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _again(message: Message, receive: Receive) -> Receive:
    messages = [message]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
