"""A request of many rows: decoded, scored and written in parts, so that nobody waits for the whole of it."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.types import Scope

from services.prediction.answer_body import AnswerBody
from services.prediction.asked import note
from services.prediction.hot.batcher import Answer
from services.prediction.hot.cells import Rows
from services.prediction.hot.decoder import Decoder
from services.prediction.turns import Turns


class LargeRequests:
    def __init__(self, decoder: Decoder, answer: Answer, body: AnswerBody, turns: Turns) -> None:
        self._decoder, self._answer, self._body, self._turns = decoder, answer, body, turns

    async def answer(self, content: bytes, scope: Scope) -> bytes | None:
        """The body of the answer; None for what it does not take for certain."""
        async with self._turns.large():
            return await self._decoded(content, scope)

    async def answer_rows(self, rows: Rows, scope: Scope) -> bytes | None:
        """As `answer`, of rows that are decoded."""
        if (predictions := await self._scored(self._answer, rows)) is None:
            return None
        return await self._written(rows, predictions, scope)

    async def _decoded(self, content: bytes, scope: Scope) -> bytes | None:
        if not (large := self._decoder.begin(content)):
            return None
        rows: list[Any] = []

        def decoded_and_scored(items: Sequence[Any]) -> Sequence[Any]:
            rows.extend(part := large.read(items))
            return self._answer(part)

        predictions = await self._scored(decoded_and_scored, large.items)
        if predictions is None or not large.is_whole(content):
            return None
        return await self._written(rows, predictions, scope)

    async def _scored(self, work: Callable[[Any], Sequence[Any]], items: Sequence[Any]) -> Sequence[Any] | None:
        try:
            predictions = await self._turns.each(work, items)
        # Whatever a model fails with, the general way meets it again and says so.
        except Exception:
            return None
        return predictions if len(predictions) == len(items) else None

    async def _written(self, rows: Rows, predictions: Sequence[Any], scope: Scope) -> bytes:
        note(scope, rows, predictions, len(rows))
        return await self._body.in_parts(predictions, self._turns)
