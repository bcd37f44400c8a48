"""Requests that arrive in one turn of the event loop are scored together: no timer, so none waits for others.

A model takes a turn for its call, however few rows it is given, so this is most of the speed under load.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from services.prediction.hot.cells import Rows

Answer = Callable[[Rows], Sequence[Any]]
# Of one call, which nothing interrupts.
MOST_ROWS = 200


class Answered(NamedTuple):
    """`batch` is the number of rows that were scored together."""

    predictions: Sequence[Any]
    batch: int


class Waiting(NamedTuple):
    rows: Rows
    future: asyncio.Future[Answered | None]


class Batcher:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._waiting: deque[Waiting] = deque()

    def submit(self, rows: Rows) -> asyncio.Future[Answered | None]:
        """None is the answer to rows that the model alone cannot answer."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(rows, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append(waiting)
        return waiting.future

    def _flush(self) -> None:
        batch = list(self._next())
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        if not self._settle(batch) and len(batch) > 1:
            # One row that the model cannot take fails the whole call, so each request is asked by itself.
            for one in batch:
                self._settle([one])

    def _next(self) -> Iterator[Waiting]:
        rows = 0
        while self._waiting and (not rows or rows + len(self._waiting[0].rows) <= MOST_ROWS):
            waiting = self._waiting.popleft()
            rows += len(waiting.rows)
            yield waiting

    def _settle(self, batch: Sequence[Waiting]) -> bool:
        """Whether there is an answer, or nobody is left to ask alone."""
        rows = batch[0].rows if len(batch) == 1 else [row for one in batch for row in one.rows]
        predictions = self._predictions(rows)
        if predictions is None and len(batch) > 1:
            return False
        start = 0
        for one in batch:
            end = start + len(one.rows)
            # The client may have gone.
            if not one.future.done():
                one.future.set_result(Answered(predictions[start:end], len(rows)) if predictions else None)
            start = end
        return True

    def _predictions(self, rows: Rows) -> Sequence[Any] | None:
        try:
            found = self._answer(rows)
        # Whatever a model fails with, the general way meets it again and says so.
        except Exception:
            return None
        return found if len(found) == len(rows) else None
