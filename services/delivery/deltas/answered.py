"""Both models' answers to the same hold-out rows, and which of them are right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.task import Task

# Errors that are equal but for rounding are equal, as a share of what was to be answered.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Answered:
    """`rows` hold the inputs in the order of `columns`; all sequences are of shape (rows,), in the same order."""

    task: Task
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    actual: Sequence[Any]
    candidate: Sequence[Prediction]
    live: Sequence[Prediction]

    @property
    def of_labels(self) -> bool:
        return self.task != "regression"


@dataclass(frozen=True)
class Rightness:
    """Which rows each model has right, of shape (rows,), and what `right` means, in words."""

    candidate: numpy.ndarray
    live: numpy.ndarray
    right: str

    @property
    def candidate_only(self) -> numpy.ndarray:
        return numpy.asarray(self.candidate & ~self.live)

    @property
    def live_only(self) -> numpy.ndarray:
        return numpy.asarray(self.live & ~self.candidate)


def rightness(answered: Answered) -> Rightness:
    """By the label; a number is right that errs by no more than the live model does on average."""
    if answered.of_labels:
        wanted = numpy.array([str(one) for one in answered.actual], dtype=object)
        ours, theirs = (labels(one) == wanted for one in (answered.candidate, answered.live))
        return Rightness(ours, theirs, "the answered label is the actual one")
    ours, theirs = (absolute_errors(answered.actual, one) for one in (answered.candidate, answered.live))
    bound = float(theirs.mean())
    allowed = bound + _ROUNDING * numpy.abs(numpy.asarray(answered.actual, dtype=float))
    return Rightness(ours <= allowed, theirs <= allowed, f"off by at most {bound:.4g}, the live model's mean error")


def labels(predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.array([str(one.label) if isinstance(one, Labelled) else "" for one in predictions], dtype=object)


def numbers(predictions: Sequence[Prediction]) -> numpy.ndarray:
    """The answers, or their probabilities."""
    return numpy.array([number_of(one) for one in predictions], dtype=float)


def absolute_errors(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.asarray(numpy.abs(numpy.asarray(actual, dtype=float) - numbers(predictions)))
