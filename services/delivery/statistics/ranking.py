"""Metrics of the order of scores: sorted once, summed up along the order for each weighting.

Only scores that a row of label 1 has add to either metric, so all but two sums are over those rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy

from services.contract.prediction import Prediction, number_of
from services.delivery.statistics.running_sums import RunningSums

RANKED = ("average_precision_score", "roc_auc_score")
_LEAST = 1e-300
# Weightings side by side in a multiple of bytes that a processor moves at once.
_LANES = 8


@dataclass(frozen=True)
class Ranking:
    """Rows by falling score, all and those of label 1. A threshold is a score that one of the latter has: `ends` are
    places in the order, and `hits` the number of rows of label 1 there. Of those `tied`, which a row of label 0 has as
    well, `starts` are the places before."""

    metrics: tuple[str, ...]
    rows: RunningSums
    ones: RunningSums
    ends: numpy.ndarray
    hits: numpy.ndarray
    tied: numpy.ndarray
    starts: numpy.ndarray

    @classmethod
    def of(cls, metrics: Sequence[str], actual: Sequence[Any], predictions: Sequence[Prediction]) -> Self:
        score = numpy.array([number_of(prediction) for prediction in predictions], dtype=float)
        order = numpy.argsort(-score, kind="stable")
        is_one, falling = numpy.asarray(actual)[order] == 1, -score[order]
        thresholds = numpy.unique(falling[is_one])
        ends = numpy.searchsorted(falling, thresholds, side="right")
        starts = numpy.searchsorted(falling, thresholds, side="left")
        hits = numpy.cumsum(is_one)[ends - 1]
        tied = numpy.flatnonzero(ends - starts > numpy.diff(hits, prepend=0))
        sums, of_ones = RunningSums.of(order, len(order)), RunningSums.of(order[is_one], len(order))
        return cls(tuple(metrics), sums, of_ones, ends, hits, tied, starts[tied])

    def __call__(self, by_row: numpy.ndarray) -> numpy.ndarray:
        """Of weights of shape (rows + 1, weightings), the last row of none, values of shape (weightings, metrics)."""
        if not len(self.hits):
            return numpy.full((by_row.shape[1], len(self.metrics)), numpy.nan)
        rows_to = self.rows(by_row, [self.ends, self.starts, self.rows.end])
        (hits,) = self.ones(by_row, [self.hits])
        gained = numpy.diff(hits, axis=0, prepend=0).astype(float)
        value = {"average_precision_score": self._average_precision, "roc_auc_score": self._area}
        return numpy.stack([value[metric](rows_to, hits, gained) for metric in self.metrics], axis=1)

    def _average_precision(
        self, rows_to: Sequence[numpy.ndarray], hits: numpy.ndarray, gained: numpy.ndarray
    ) -> numpy.ndarray:
        """Source: sklearn.metrics.average_precision_score."""
        precision = hits / numpy.maximum(rows_to[0], _LEAST)
        return numpy.asarray(numpy.einsum("ij,ij->j", precision, gained) / hits[-1])

    def _area(self, rows_to: Sequence[numpy.ndarray], hits: numpy.ndarray, gained: numpy.ndarray) -> numpy.ndarray:
        """The share of pairs of a 1 and a 0 that are in order, half of those of equal score.

        Source: Mann and Whitney's statistic, as sklearn.metrics.roc_auc_score.
        """
        to_end, to_start, (all_rows,) = rows_to
        zeros = (to_end - hits).astype(float)
        zeros[self.tied] -= (to_end[self.tied] - to_start - gained[self.tied]) / 2
        above = numpy.einsum("ij,ij->j", zeros, gained)
        ones = hits[-1].astype(float)
        return numpy.asarray(1 - above / (ones * (all_rows - ones)))


@dataclass(frozen=True)
class Rankings:
    """Of several models on the same rows, one after the other."""

    models: tuple[Ranking, ...]

    def __call__(self, weights: numpy.ndarray) -> numpy.ndarray:
        """Of weights of shape (weightings, rows), values of shape (weightings, metrics of all models)."""
        count, rows = weights.shape
        by_row = numpy.zeros((rows + 1, -(-count // _LANES) * _LANES), dtype=weights.dtype)
        by_row[:rows, :count] = weights.T
        return numpy.concatenate([model(by_row)[:count] for model in self.models], axis=1)
