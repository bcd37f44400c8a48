"""Asks a candidate what the live release has answered, and compares both; nobody gets its answer, or waits for it."""

import asyncio
import logging
from collections.abc import Awaitable

from starlette.types import Message, Scope, Send

from services.contract.control_protocol import Split
from services.prediction.canary.agreement import Agreement, compared_parts
from services.prediction.canary.candidate import Candidate, Count
from services.prediction.canary.connection import Answer
from services.prediction.canary.private import MARK
from services.prediction.observed.figures import Place
from services.prediction.turns import Turns

# A copy that finds so many others on their way is dropped, and none is queued.
MOST_AT_ONCE = 8
# Of a request, and of its answer.
MOST_BYTES = 1_000_000
_JSON = b"application/json"
TASK = "shadow"
log = logging.getLogger(__name__)


class Heard:
    """An answer of the live release, remembered on its way to the client."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status, self.media = 500, b""
        self.parts: list[bytes] = []

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.media = dict(message.get("headers", ())).get(b"content-type", b"")
        else:
            self.parts.append(message.get("body", b""))
        return self._send(message)

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


class Shadow:
    """Of one split, beside which `candidate` stands. `count` adds to the figures of the live release."""

    def __init__(self, split: Split, candidate: Candidate, count: Count) -> None:
        self._candidate, self._count = candidate, count
        self._difference = split.difference
        self._turns = Turns()
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, scope: Scope, body: bytes, heard: Heard) -> None:
        """After the live release has answered. Returns at once."""
        if dropped := self._dropped(body, heard):
            self._count(dropped)
            return
        task = asyncio.create_task(self._compare(scope, body, heard), name=TASK)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _dropped(self, body: bytes, heard: Heard) -> Place | None:
        if heard.status >= 500 or not heard.media.startswith(_JSON):
            return Place.SHADOW_NOT_COMPARABLE
        if max(len(body), heard.size) > MOST_BYTES:
            return Place.SHADOW_TOO_LARGE
        return Place.SHADOW_TOO_MANY if len(self._tasks) >= MOST_AT_ONCE else None

    async def _compare(self, scope: Scope, body: bytes, heard: Heard) -> None:
        if not (answer := await self._candidate.answer(scope, body, [MARK])):
            return
        agreement = Agreement(self._difference)
        if heard.status >= 400 or answer.status >= 400:
            # Words may differ.
            agreement.agrees = heard.status >= 400 and answer.status >= 400
        else:
            await self._see(agreement, heard, answer)
        self._count(Place.SHADOW_COMPARED)
        self._count(Place.SHADOW_DISAGREED, not agreement.agrees)
        self._count(Place.SHADOW_APART, agreement.apart)
        self._count(Place.SHADOW_NUMBERS, agreement.numbers)

    async def _see(self, agreement: Agreement, heard: Heard, answer: Answer) -> None:
        live = compared_parts(b"".join(heard.parts))
        # Clients have their turn between two large ones.
        await asyncio.sleep(0)
        candidate = compared_parts(answer.body)
        if len(live) == len(candidate):
            await self._turns.each(agreement.see_all, list(zip(live, candidate, strict=True)))
        else:
            agreement.agrees = False

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a copy of a request could not be compared", exc_info=error)
