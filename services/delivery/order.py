"""What the child process is given, and what it gives back: questions and answers, never the exam's solutions."""

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

from pydantic import ConfigDict

from services.contract.prediction import Prediction, number_of
from services.contract.record import Record
from services.contract.release import Column, Form


class Order(Record):
    """`rows` are hold-out rows, `edges` are those beside; both hold the inputs in order, None where one is missing."""

    inputs: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
    edges: tuple[tuple[Any, ...], ...] = ()


class Scores(Record):
    """An answer a row, finite or not, None for a row that the model cannot take; milliseconds that single rows took."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    predictions: tuple[Prediction | None, ...]
    edges: tuple[Prediction | None, ...]
    latency_ms: tuple[float, ...]

    @property
    def finite(self) -> list[Prediction]:
        """The answers that are any; as many as there are rows when the model could take them all."""
        return [one for one in self.predictions if _is_finite(one)]

    @property
    def finite_edges(self) -> list[Prediction | None]:
        """None as well where the answer is not finite: the service gives none."""
        return [one if _is_finite(one) else None for one in self.edges]


def percentiles(latency_ms: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile; empty when nothing was timed."""
    ordered = sorted(latency_ms)
    if not ordered:
        return {}
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[math.ceil(len(ordered) * 0.99) - 1]}


def _is_finite(answer: Prediction | None) -> TypeGuard[Prediction]:
    return answer is not None and math.isfinite(number_of(answer))


class Forms(Record):
    """The forms that a model has, the preferred one first; `notes` say why one is missing."""

    forms: tuple[Form, ...]
    notes: tuple[str, ...]
