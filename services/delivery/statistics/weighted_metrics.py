"""The hold-out metrics of each task as functions of how often each row counts: scikit-learn's values with
`sample_weight`, for thousands of weightings at once. A test holds each against scikit-learn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from services.contract.prediction import Prediction
from services.contract.task import Task
from services.delivery.statistics.labels import MacroF1
from services.delivery.statistics.ranking import RANKED, Ranking, Rankings
from services.delivery.statistics.sums import SUMMED, Sums

# From weights of shape (weightings, rows) to values of shape (weightings, metrics): NaN where there is none.
Values = Callable[[numpy.ndarray], numpy.ndarray]


@dataclass(frozen=True)
class WeightedMetrics:
    """`count` values, by `parts` that measure several metrics together, each with the places of these."""

    count: int
    parts: tuple[tuple[list[int], Values], ...]

    def __call__(self, weights: numpy.ndarray) -> numpy.ndarray:
        values = numpy.empty((len(weights), self.count))
        with numpy.errstate(divide="ignore", invalid="ignore"):
            for places, part in self.parts:
                values[:, places] = part(weights)
        return values


def weighted_metrics(
    metrics: Sequence[str], task: Task, actual: Sequence[Any], *answers: Sequence[Prediction]
) -> WeightedMetrics:
    """Those of each model's `answers`, one model after the other; these and `actual` are of shape (rows,), in the same
    order. Raises KeyError for an unknown metric."""
    names = dict(enumerate(list(metrics) * len(answers)))
    of = {place: answers[place // len(metrics)] for place in names}
    parts: list[tuple[list[int], Values]] = []
    if summed := [place for place, name in names.items() if name in SUMMED[task]]:
        # All models in one product of matrices.
        parts.append((summed, Sums.of([SUMMED[task][names[place]](actual, of[place]) for place in summed])))
    if ranked := [place for place, name in names.items() if name in RANKED]:
        of_each = [metric for metric in metrics if metric in RANKED]
        parts.append((ranked, Rankings(tuple(Ranking.of(of_each, actual, one) for one in answers))))
    for first in range(0, len(names), len(metrics)):
        places = range(first, first + len(metrics))
        if f1 := [place for place in places if names[place] == "f1_score"]:
            parts.append((f1, MacroF1.of(actual, of[first])))
    return WeightedMetrics(len(names), tuple(parts))
