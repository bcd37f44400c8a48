"""Two models whose true difference is known, on as many hold-outs as asked for: one for each kind of metric."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy

from services.contract.task import Task

# How alike the errors of two models of one problem are.
_ALIKE = 0.8
_LIVE_RIGHT, _MENDED = 0.9, 0.2
_ONES, _APART = 0.25, 1.5


@dataclass(frozen=True)
class Holdout:
    """Targets, and what both models answer, each of shape (rows,)."""

    actual: list[float]
    candidate: list[float]
    live: list[float]


@dataclass(frozen=True)
class Kind:
    """`draw` gives a hold-out of so many rows: the candidate's true error is the live one's times 1 + `worse`."""

    metric: str
    task: Task
    draw: Callable[[numpy.random.Generator, int, float], Holdout]


def holdouts(kind: Kind, times: int, rows: int, worse: float) -> Iterator[Holdout]:
    """The same ones each time."""
    for seed in numpy.random.SeedSequence([rows, round(1e6 * (1 + worse))]).spawn(times):
        yield kind.draw(numpy.random.default_rng(seed), rows, worse)


def _pair(random: numpy.random.Generator, rows: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Two normal numbers a row, which are as alike as two models."""
    one, other = random.normal(size=(2, rows))
    return one, _ALIKE * one + float(numpy.sqrt(1 - _ALIKE**2)) * other


def _regression(random: numpy.random.Generator, rows: int, worse: float) -> Holdout:
    """Normal errors: the mean absolute one is in proportion to their scale."""
    live, candidate = _pair(random, rows)
    return Holdout([0.0] * rows, ((1 + worse) * candidate).tolist(), live.tolist())


def _classification(random: numpy.random.Generator, rows: int, worse: float) -> Holdout:
    """The candidate mends some of the live model's mistakes, and makes as many others as its accuracy asks for."""
    wanted = 1 - (1 + worse) * (1 - _LIVE_RIGHT)
    broken = 1 - (wanted - _MENDED * (1 - _LIVE_RIGHT)) / _LIVE_RIGHT
    live = random.random(rows) < _LIVE_RIGHT
    candidate = random.random(rows) < numpy.where(live, 1 - broken, _MENDED)
    return Holdout([1] * rows, candidate.astype(int).tolist(), live.astype(int).tolist())


def _ranking(random: numpy.random.Generator, rows: int, worse: float) -> Holdout:
    """Normal scores, which are further apart for ones and zeros the better the model is."""
    actual = random.random(rows) < _ONES
    of_live, of_candidate = _pair(random, rows)
    apart = _apart(1 - (1 + worse) * (1 - average_precision(_APART)))
    return Holdout(
        actual.astype(int).tolist(), (of_candidate + apart * actual).tolist(), (of_live + _APART * actual).tolist()
    )


def average_precision(apart: float) -> float:
    """Of unlimited rows: the mean of precision over what the ones score."""
    normal = NormalDist()
    caught = numpy.linspace(0.0005, 0.9995, 1000)
    beyond = numpy.array([1 - normal.cdf(normal.inv_cdf(1 - share) + apart) for share in caught])
    return float((_ONES * caught / (_ONES * caught + (1 - _ONES) * beyond)).mean())


@cache
def _apart(wanted: float) -> float:
    low, high = 0.0, 2 * _APART
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if average_precision(middle) < wanted else (low, middle)
    return low


KINDS = (
    Kind("mean_absolute_error", "regression", _regression),
    Kind("accuracy_score", "classification", _classification),
    Kind("average_precision_score", "binary-classification", _ranking),
)
