"""Predictions row by row, in which one row that cannot be answered does not take the others with it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from services.contract.prediction import Prediction
from services.contract.row_times import Round
from services.contract.stopwatch import time_rows

Row = TypeVar("Row")
Predict = Callable[[Sequence[Row]], Sequence[Prediction]]


def predict_each(predict: Predict[Row], rows: Sequence[Row], unanswerable: type[Exception]) -> list[Prediction | None]:
    """One prediction a row, None for a row for which `predict` raises `unanswerable`; other errors pass through.

    All rows are asked together, and after an error each half by itself, so that k bad rows of n cost about
    2·k·log2(n) calls.
    """
    if not rows:
        return []
    try:
        return list(predict(rows))
    except unanswerable:
        if len(rows) == 1:
            return [None]
    half = len(rows) // 2
    halves = (rows[:half], rows[half:])
    return [answer for part in halves for answer in predict_each(predict, part, unanswerable)]


def time_each(
    predict: Predict[Row], rows: Sequence[Row], unanswerable: type[Exception], limit_ms: float
) -> tuple[Round, ...]:
    """What the first rows take, each asked alone: see `time_rows`. A row without an answer is timed as well."""
    return time_rows(lambda row: predict_each(predict, [row], unanswerable), rows, limit_ms)
