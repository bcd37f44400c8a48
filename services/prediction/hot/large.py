"""A request of many rows: decoded, scored and written in parts, so that nobody waits for the whole of it."""

from collections.abc import Sequence
from typing import Any

from starlette.types import Scope

from services.prediction.answer_body import AnswerBody
from services.prediction.asked import note
from services.prediction.hot.batcher import Answer
from services.prediction.hot.decoder import Decoder
from services.prediction.turns import Turns


class LargeRequests:
    def __init__(self, decoder: Decoder, answer: Answer, body: AnswerBody, turns: Turns) -> None:
        self._decoder, self._answer, self._body, self._turns = decoder, answer, body, turns

    async def answer(self, content: bytes, scope: Scope) -> bytes | None:
        """The body of the answer; None for what it does not take for certain."""
        async with self._turns.large():
            return await self._answered(content, scope)

    async def _answered(self, content: bytes, scope: Scope) -> bytes | None:
        if not (large := self._decoder.begin(content)):
            return None
        rows: list[Any] = []

        def scored(items: Sequence[Any]) -> Sequence[Any]:
            rows.extend(part := large.read(items))
            return self._answer(part)

        try:
            predictions = await self._turns.each(scored, large.items)
        # Whatever a model fails with, the general way meets it again and says so.
        except Exception:
            return None
        if not large.is_whole(content) or len(predictions) != len(rows):
            return None
        note(scope, rows, predictions, len(rows))
        return await self._body.in_parts(predictions, self._turns)
