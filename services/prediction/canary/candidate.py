"""Asks a candidate what the live release was asked, on connections that are kept."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count as counted
from itertools import cycle

from starlette.types import Scope

from services.contract import names
from services.contract.control_protocol import Split
from services.prediction.asked import Asked
from services.prediction.canary.connection import Answer, Connection, Headers
from services.prediction.canary.private import SHADOW
from services.prediction.observed.figures import Place
from services.prediction.observed.request_ids import HEADER as REQUEST_ID

# A candidate that does not answer so many times in a row is asked rarely: it would make its clients wait.
MOST_FAILURES, RARELY = 5, 100
# Beside what the longest body of so many bytes may take.
SECONDS, BYTE_SECONDS = 5.0, 1e-5
_IDLE_CONNECTIONS = 16
# The id is the one that was given, only the live release may call a request a shadow, and the whole body is there.
_NOT_PASSED_ON = (REQUEST_ID, SHADOW, b"expect")
_RELEASE = names.RELEASE_HEADER.lower().encode()

Count = Callable[..., object]


class Candidate:
    """Of one split. `count` is given the place among the figures of what it never answered."""

    def __init__(self, split: Split, count: Count) -> None:
        self._count, self._release = count, split.release.encode()
        self._idle: dict[str, list[Connection]] = {target: [] for target in split.targets}
        self._targets = cycle(split.targets)
        self._failures, self._skipped = 0, counted(1)
        self._closed = False

    def may_be_asked(self) -> bool:
        return self._failures < MOST_FAILURES or next(self._skipped) % RARELY == 0

    def close(self) -> None:
        """What it was asked already it still answers."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    async def answer(self, scope: Scope, body: bytes, more: Headers) -> Answer | None:
        """`more` headers go with the request. None where there is no answer, or an error of the candidate's."""
        try:
            async with asyncio.timeout(SECONDS + BYTE_SECONDS * len(body)):
                answer = self._known(await self._ask(next(self._targets), scope, body, more))
        except (OSError, TimeoutError):
            # It could not count this one itself.
            self._count(Place.HANDED_ON_FAILED)
        else:
            if answer.status < 500:
                self._failures = 0
                return answer
        self._failures += 1
        return None

    def _known(self, answer: Answer) -> Answer:
        """Raises OSError for one of another release: where a candidate was, another one may be."""
        if answer.status < 500 and (_RELEASE, self._release) not in answer.headers:
            raise ConnectionError(f"expected an answer of release {self._release.decode()}, found another's")
        return answer

    async def _ask(self, target: str, scope: Scope, body: bytes, more: Headers) -> Answer:
        asked = scope["method"], _path(scope), [*_headers(scope), *more], body
        if idle := self._idle[target]:
            # One that the candidate has closed meanwhile says nothing of the candidate.
            with suppress(OSError):
                return await self._ask_on(idle.pop(), target, *asked)
        return await self._ask_on(await Connection.open(target), target, *asked)

    async def _ask_on(
        self, connection: Connection, target: str, method: str, path: bytes, headers: Headers, body: bytes
    ) -> Answer:
        try:
            answer = await connection.ask(method, path, headers, body)
        except BaseException:
            connection.close()
            raise
        idle = self._idle[target]
        if connection.reusable and not self._closed and len(idle) < _IDLE_CONNECTIONS:
            idle.append(connection)
        else:
            connection.close()
        return answer


def _headers(scope: Scope) -> Headers:
    """By its id a candidate knows a client's request from our own."""
    asked: Asked = scope["asked"]
    kept = [one for one in scope["headers"] if one[0] not in _NOT_PASSED_ON]
    return [*kept, (REQUEST_ID, asked.request_id.encode())]


def _path(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return b"%s?%s" % (path, scope["query_string"]) if scope.get("query_string") else path
