"""What arrives together is scored together, and nobody pays for a neighbour."""

import asyncio
from collections.abc import Sequence
from typing import Any

from services.prediction.hot.batcher import MOST_ROWS, Answered, Batcher


class Recorded:
    """Answers each row's number, and none below 0; it keeps how many rows it was asked for."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        self.calls.append(len(rows))
        if any(row[0] < 0 for row in rows):
            raise KeyError("below 0")
        return [row[0] for row in rows]


def answers(model: Recorded, *requests: list[int]) -> list[Answered | None]:
    async def submit() -> list[Answered | None]:
        batcher = Batcher(model)
        return await asyncio.gather(*(batcher.submit([(number,) for number in numbers]) for numbers in requests))

    return asyncio.run(submit())


def test_requests_of_one_turn_are_one_call() -> None:
    model = Recorded()
    assert answers(model, [1], [2, 3], [4]) == [([1], 4), ([2, 3], 4), ([4], 4)]
    assert model.calls == [4]


def test_a_row_that_fails_costs_its_own_request_only() -> None:
    model = Recorded()
    assert answers(model, [1], [2, -3], [4]) == [([1], 1), None, ([4], 1)]
    assert model.calls == [4, 1, 2, 1]


def test_a_call_has_a_bound_and_the_rest_follows_in_the_next_turn() -> None:
    model = Recorded()
    answers(model, [1] * (MOST_ROWS - 1), [2], [3], [4] * (MOST_ROWS + 1), [5])
    assert model.calls == [MOST_ROWS, 1, MOST_ROWS + 1, 1]


def test_a_client_that_has_gone_takes_no_answer_from_others() -> None:
    async def scenario() -> Answered | None:
        batcher = Batcher(Recorded())
        gone, other = batcher.submit([(1,)]), batcher.submit([(2,)])
        gone.cancel()
        return await other

    assert asyncio.run(scenario()) == ([2], 2)


def test_a_model_that_loses_rows_answers_nobody() -> None:
    async def scenario() -> Answered | None:
        return await Batcher(lambda rows: rows[1:]).submit([(1,), (2,)])

    assert asyncio.run(scenario()) is None
