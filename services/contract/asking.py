"""Predictions row by row, in which one row that cannot be answered does not take the others with it."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.contract.prediction import Prediction
from services.contract.row_times import Round
from services.contract.stopwatch import time_rows

Row = TypeVar("Row")
Predict = Callable[[Sequence[Row]], Sequence[Prediction]]
PredictEach = Callable[[Sequence[Row]], list[Prediction | None]]
# Of a whole hold-out, which is held, written and read more than once.
MOST_NUMBERS = 100_000
# Of a row without an answer: its number and the error.
Tell = Callable[[int, Exception], None]


def tell_nobody(row: int, error: Exception) -> None:
    pass


def predict_each(
    predict: Predict[Row],
    rows: Sequence[Row],
    unanswerable: type[Exception],
    tell: Tell = tell_nobody,
    first: int = 0,
) -> list[Prediction | None]:
    """One prediction a row, None for a row for which `predict` raises `unanswerable`; other errors pass through.

    All rows are asked together, and after an error each half by itself, so that k bad rows of n cost about
    2·k·log2(n) calls. `tell` hears of each bad row, in their order, by its number from `first` on.
    """
    if not rows:
        return []
    try:
        return list(predict(rows))
    except unanswerable as error:
        if len(rows) == 1:
            tell(first, error)
            return [None]
    half = len(rows) // 2
    halves = ((rows[:half], first), (rows[half:], first + half))
    return [answer for part, at in halves for answer in predict_each(predict, part, unanswerable, tell, at)]


def step_of(rows: int, classes: int) -> int:
    """Of each how many rows one is asked for the probabilities of all classes: of each one if they are not too many,
    and of none where there are no classes."""
    return math.ceil(rows * classes / MOST_NUMBERS)


def predict_classes(
    plain: PredictEach[Row], all_classes: PredictEach[Row], rows: Sequence[Row], step: int, first: int = 0
) -> list[Prediction | None]:
    """One prediction a row; of each `step`-th with the probabilities of all classes. `first` is the first row's place
    among all that are asked."""
    if step == 1:
        return all_classes(rows)
    answers = plain(rows)
    if step:
        chosen = slice(-first % step, None, step)
        answers[chosen] = all_classes(rows[chosen])
    return answers


def time_each(
    predict: Predict[Row], rows: Sequence[Row], unanswerable: type[Exception], limit_ms: float
) -> tuple[Round, ...]:
    """What the first rows take, each asked alone: see `time_rows`. A row without an answer is timed as well."""
    return time_rows(lambda row: predict_each(predict, [row], unanswerable), rows, limit_ms)
