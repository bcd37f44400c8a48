"""Metrics of a hold-out with their bootstrap intervals: of one model, and of how much better one is than another.

All metrics, models and groups of rows of a call share their resamples, so that what is compared was drawn alike.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy

from services.contract.prediction import Prediction
from services.contract.task import BETTER_ABOVE, Task
from services.contract.verdict import Estimate
from services.delivery.statistics.bca import interval
from services.delivery.statistics.resampling import RESAMPLES, over_resamples, without_each_group
from services.delivery.statistics.weighted_metrics import Values, weighted_metrics

# Of rows that are left out together for the acceleration of an interval: each row by itself where there are fewer.
_LEFT_OUT = 400


@dataclass(frozen=True)
class Group:
    """A slice's name, None for all rows, and which rows are in it, of shape (rows,); `confidence` and `metrics` where
    it has others than the call asks for."""

    name: str | None
    rows: numpy.ndarray
    confidence: float | None = None
    metrics: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Paired:
    """A metric of both models on the rows of a slice, and how much `better_by` the candidate is, with its interval:
    positive where it is better, in the metric's unit. `resampled` is that of each resample; NaN where there is none."""

    metric: str
    slice: str | None
    rows: int
    candidate: float
    live: float
    better_by: float
    low: float
    high: float
    resampled: numpy.ndarray


def estimates(
    metrics: Sequence[str],
    task: Task,
    actual: Sequence[Any],
    predictions: Sequence[Prediction],
    groups: Sequence[Group],
    confidence: float,
) -> list[list[Estimate]]:
    """A list a group, without the metrics that cannot be computed on its rows.

    `actual` and `predictions` are of shape (rows,), in the same order.
    """
    of_groups = [_on(group, metrics, task, actual, predictions) for group in groups]
    bootstrap = _Bootstrap.of(len(actual), _joined(of_groups))

    def of(place: int, metric: str, group: Group) -> Estimate | None:
        sure = group.confidence or confidence
        value, (low, high) = float(bootstrap.point[place]), bootstrap.interval(place, sure)
        if not math.isfinite(value + low + high):
            return None
        rows = int(group.rows.sum())
        return Estimate(metric=metric, value=value, low=low, high=high, confidence=sure, rows=rows)

    places = itertools.count()
    found = [[of(next(places), metric, group) for metric in group.metrics or metrics] for group in groups]
    return [[one for one in of_group if one is not None] for of_group in found]


def paired(
    metrics: Sequence[str],
    task: Task,
    actual: Sequence[Any],
    candidate: Sequence[Prediction],
    live: Sequence[Prediction],
    groups: Sequence[Group],
    confidence: float,
    resamples: int = RESAMPLES,
) -> list[Paired]:
    """One a group and metric; `actual`, `candidate` and `live` are of shape (rows,), in the same order."""
    of_both = _joined([_on(group, metrics, task, actual, candidate, live) for group in groups])
    looks = [(group, metric) for group in groups for metric in group.metrics or metrics]
    sign = numpy.array([1.0 if metric in BETTER_ABOVE else -1.0 for _, metric in looks])
    # A group has the values of the candidate and then those of live.
    ours, theirs = _places(groups, metrics)
    of_both_once = of_both(numpy.ones((1, len(actual))))[0]

    def better_by(counts: numpy.ndarray) -> numpy.ndarray:
        values = of_both(counts)
        return numpy.asarray(sign * (values[:, ours] - values[:, theirs]))

    bootstrap = _Bootstrap.of(len(actual), better_by, resamples)
    values = zip(of_both_once[ours].tolist(), of_both_once[theirs].tolist(), strict=True)
    found = zip(looks, values, strict=True)
    return [
        Paired(
            metric,
            group.name,
            int(group.rows.sum()),
            of_the_candidate,
            of_the_live,
            float(bootstrap.point[place]),
            *bootstrap.interval(place, group.confidence or confidence),
            bootstrap.resampled[:, place],
        )
        for place, ((group, metric), (of_the_candidate, of_the_live)) in enumerate(found)
    ]


@dataclass(frozen=True)
class _Bootstrap:
    """Values on all rows, on resamples and with groups of rows left out: of shape (values,), (resamples, values) and
    (groups, values)."""

    point: numpy.ndarray
    resampled: numpy.ndarray
    left_out: numpy.ndarray

    @classmethod
    def of(cls, rows: int, values: Values, resamples: int = RESAMPLES) -> Self:
        point = values(numpy.ones((1, rows)))[0]
        return cls(point, over_resamples(rows, values, resamples), without_each_group(rows, values, _LEFT_OUT))

    def interval(self, place: int, confidence: float) -> tuple[float, float]:
        return interval(float(self.point[place]), self.resampled[:, place], self.left_out[:, place], confidence)


def _places(groups: Sequence[Group], metrics: Sequence[str]) -> tuple[list[int], list[int]]:
    """Of the values of two models on all groups, those of the first model and those of the second."""
    first, second, begin = list[int](), list[int](), 0
    for group in groups:
        count = len(group.metrics or metrics)
        first += range(begin, begin + count)
        second += range(begin + count, begin + 2 * count)
        begin += 2 * count
    return first, second


def _on(
    group: Group, metrics: Sequence[str], task: Task, actual: Sequence[Any], *answers: Sequence[Prediction]
) -> Values:
    """Of weights of all rows, the metrics of each model on those of the group."""
    places = numpy.flatnonzero(group.rows)
    chosen = places.tolist()
    of_group = ([predictions[n] for n in chosen] for predictions in answers)
    measured = weighted_metrics(group.metrics or metrics, task, [actual[n] for n in chosen], *of_group)
    if len(places) == len(actual):
        return measured
    return lambda weights: measured(weights.take(places, axis=1))


def _joined(of_groups: Sequence[Values]) -> Values:
    return lambda weights: numpy.concatenate([values(weights) for values in of_groups], axis=1)
