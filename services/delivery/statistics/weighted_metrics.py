"""The hold-out metrics of each task as functions of how often each row counts: scikit-learn's values with
`sample_weight`, for thousands of weightings at once. A test holds each against scikit-learn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from services.contract.prediction import Prediction
from services.contract.task import Task
from services.delivery.statistics.labels import MacroF1
from services.delivery.statistics.ranking import RANKED, Ranking
from services.delivery.statistics.sums import SUMMED, Sums

# From weights of shape (weightings, rows) to values of shape (weightings, metrics): NaN where there is none.
Values = Callable[[numpy.ndarray], numpy.ndarray]


@dataclass(frozen=True)
class WeightedMetrics:
    """`parts` are functions that measure several metrics together, each with the places of these."""

    parts: tuple[tuple[list[int], Values], ...]

    def __call__(self, weights: numpy.ndarray) -> numpy.ndarray:
        values = numpy.empty((len(weights), sum(len(places) for places, _ in self.parts)))
        with numpy.errstate(divide="ignore", invalid="ignore"):
            for places, part in self.parts:
                values[:, places] = part(weights)
        return values


def weighted_metrics(
    metrics: Sequence[str], task: Task, actual: Sequence[Any], predictions: Sequence[Prediction]
) -> WeightedMetrics:
    """`actual` and `predictions` are of shape (rows,), in the same order. Raises KeyError for an unknown metric."""
    ranked = [place for place, name in enumerate(metrics) if name in RANKED]
    f1 = [place for place, name in enumerate(metrics) if name == "f1_score"]
    summed = [place for place in range(len(metrics)) if place not in (*ranked, *f1)]
    parts: list[tuple[list[int], Values]] = []
    if summed:
        parts.append((summed, Sums.of([SUMMED[task][metrics[place]](actual, predictions) for place in summed])))
    if ranked:
        parts.append((ranked, Ranking.of([metrics[place] for place in ranked], actual, predictions)))
    if f1:
        parts.append((f1, MacroF1.of(actual, predictions)))
    return WeightedMetrics(tuple(parts))
