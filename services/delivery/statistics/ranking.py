"""Metrics of the order of scores: sorted once, summed up along the order for each weighting.

Only scores that a row of label 1 has add to either metric, so all but two sums are over those rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy

from services.contract.prediction import Prediction, number_of

RANKED = ("average_precision_score", "roc_auc_score")


@dataclass(frozen=True)
class Ranking:
    """Rows by falling score, all and those of label 1. A threshold is a score that one of the latter has: `starts` and
    `ends` are its places in the order, and `hits` the number of rows of label 1 at its end."""

    metrics: tuple[str, ...]
    order: numpy.ndarray
    ones: numpy.ndarray
    starts: numpy.ndarray
    ends: numpy.ndarray
    hits: numpy.ndarray

    @classmethod
    def of(cls, metrics: Sequence[str], actual: Sequence[Any], predictions: Sequence[Prediction]) -> Self:
        score = numpy.array([number_of(prediction) for prediction in predictions], dtype=float)
        order = numpy.argsort(-score, kind="stable")
        is_one, falling = numpy.asarray(actual)[order] == 1, -score[order]
        thresholds = numpy.unique(falling[is_one])
        ends = numpy.searchsorted(falling, thresholds, side="right")
        starts = numpy.searchsorted(falling, thresholds, side="left")
        return cls(tuple(metrics), order, order[is_one], starts, ends, numpy.cumsum(is_one)[ends - 1])

    def __call__(self, weights: numpy.ndarray) -> numpy.ndarray:
        if not len(self.ones):
            return numpy.full((len(weights), len(self.metrics)), numpy.nan)
        rows = _summed_up(weights, self.order)
        ones = _summed_up(weights, self.ones)
        hits = ones.take(self.hits, axis=1)
        gained = numpy.diff(hits, axis=1, prepend=0)
        value = {"average_precision_score": self._average_precision, "roc_auc_score": self._area}
        return numpy.stack([value[metric](rows, hits, gained) for metric in self.metrics], axis=1)

    def _average_precision(self, rows: numpy.ndarray, hits: numpy.ndarray, gained: numpy.ndarray) -> numpy.ndarray:
        """Source: sklearn.metrics.average_precision_score."""
        precision = hits / numpy.maximum(rows.take(self.ends, axis=1), _LEAST)
        return numpy.asarray(numpy.einsum("ij,ij->i", precision, gained) / hits[:, -1])

    def _area(self, rows: numpy.ndarray, hits: numpy.ndarray, gained: numpy.ndarray) -> numpy.ndarray:
        """The share of pairs of a 1 and a 0 that are in order, half of those of equal score.

        Source: Mann and Whitney's statistic, as sklearn.metrics.roc_auc_score.
        """
        zeros_to_end = rows.take(self.ends, axis=1) - hits
        zeros_to_start = rows.take(self.starts, axis=1) - (hits - gained)
        above = numpy.einsum("ij,ij->i", zeros_to_start + zeros_to_end, gained.astype(float)) / 2
        ones = hits[:, -1].astype(float)
        return numpy.asarray(1 - above / (ones * (rows[:, -1] - ones)))


_LEAST = 1e-300


def _summed_up(weights: numpy.ndarray, order: numpy.ndarray) -> numpy.ndarray:
    """Of shape (weightings, rows + 1): what the first so many rows of the order weigh, from none on.

    Counts as whole numbers, whose sums take a sixth of the time of floating point.
    """
    exact = numpy.int32 if weights.dtype == numpy.uint8 else numpy.float64
    sums = numpy.zeros((len(weights), len(order) + 1), dtype=exact)
    numpy.cumsum(weights.take(order, axis=1), axis=1, dtype=exact, out=sums[:, 1:])
    return sums
