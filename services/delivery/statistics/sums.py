"""Metrics that are made of weighted sums over rows, such as a mean: one product of matrices gives all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy

from services.contract.calibration import BINS, bins_of, log_losses, surprises
from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.task import Task

# Rows of a product of matrices.
_TOGETHER = 4096
_SMALLEST = float(numpy.finfo(float).eps)


@dataclass(frozen=True)
class Sum:
    """What each row adds, of shape (rows, columns), and the metric of the sums, of shape (weightings, columns)."""

    columns: numpy.ndarray
    value: Callable[[numpy.ndarray], numpy.ndarray]


@dataclass(frozen=True)
class Sums:
    """`columns` are those of all `metrics` side by side, in both precisions."""

    metrics: tuple[Sum, ...]
    columns: numpy.ndarray
    single: numpy.ndarray

    @classmethod
    def of(cls, metrics: Sequence[Sum]) -> Self:
        columns = numpy.hstack([metric.columns for metric in metrics])
        return cls(tuple(metrics), columns, columns.astype(numpy.float32))

    def __call__(self, weights: numpy.ndarray) -> numpy.ndarray:
        """Counts in single precision, which takes half the time and is exact for numbers of rows."""
        sums = self._of_counts(weights) if weights.dtype == numpy.uint8 else weights @ self.columns
        ends = numpy.cumsum([metric.columns.shape[1] for metric in self.metrics])[:-1]
        each = zip(self.metrics, numpy.split(sums, ends, axis=1), strict=True)
        return numpy.stack([metric.value(of_metric) for metric, of_metric in each], axis=1)

    def _of_counts(self, counts: numpy.ndarray) -> numpy.ndarray:
        """In parts of rows that stay in a processor's cache."""
        sums = numpy.zeros((len(counts), self.columns.shape[1]))
        for first in range(0, len(self.single), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            sums += counts[:, some].astype(numpy.float32) @ self.single[some]
        return sums


def _mean(losses: numpy.ndarray) -> Sum:
    """Over the rows that have one; the others are NaN."""
    has = numpy.isfinite(losses)
    return Sum(numpy.column_stack([numpy.where(has, losses, 0.0), has]), lambda sums: sums[:, 0] / sums[:, 1])


def _root_mean(losses: numpy.ndarray) -> Sum:
    mean = _mean(losses)
    return Sum(mean.columns, lambda sums: numpy.asarray(numpy.sqrt(mean.value(sums))))


def _r2(actual: Sequence[Any], predictions: Sequence[Prediction]) -> Sum:
    """Source: sklearn.metrics.r2_score. None where all targets are equal."""
    target = numpy.asarray(actual, dtype=float)
    apart = target - target.mean()
    columns = [(target - _numbers(predictions)) ** 2, apart, apart**2, numpy.ones(len(target))]

    def value(sums: numpy.ndarray) -> numpy.ndarray:
        error, off, total, rows = sums.T
        spread = total - off**2 / rows
        return numpy.where(spread > _SMALLEST * total, 1 - error / spread, numpy.nan)

    return Sum(numpy.column_stack(columns), value)


def _calibration(came: numpy.ndarray, probability: numpy.ndarray) -> Sum:
    """The expected calibration error, in `services.contract.calibration`."""
    gaps = (bins_of(probability)[:, None] == numpy.arange(BINS)) * (probability - came)[:, None]
    columns = numpy.column_stack([gaps, numpy.ones(len(came))])
    return Sum(columns, lambda sums: numpy.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1])


def _numbers(predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.array([number_of(prediction) for prediction in predictions], dtype=float)


def _errors(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.asarray(_numbers(predictions) - numpy.asarray(actual, dtype=float))


def _right(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    labels = [prediction.label if isinstance(prediction, Labelled) else prediction for prediction in predictions]
    return numpy.array([str(label) == str(wanted) for label, wanted in zip(labels, actual, strict=True)], dtype=float)


SUMMED: dict[Task, dict[str, Callable[[Sequence[Any], Sequence[Prediction]], Sum]]] = {
    "regression": {
        "mean_absolute_error": lambda actual, given: _mean(numpy.abs(_errors(actual, given))),
        "root_mean_squared_error": lambda actual, given: _root_mean(_errors(actual, given) ** 2),
        "r2_score": _r2,
    },
    "classification": {
        "accuracy_score": lambda actual, given: _mean(_right(actual, given)),
        "expected_calibration_error": lambda actual, given: _calibration(_right(actual, given), _numbers(given)),
        "log_loss": lambda actual, given: _mean(surprises(actual, given)),
    },
    "binary-classification": {
        "log_loss": lambda actual, given: _mean(log_losses(1 - numpy.abs(_errors(actual, given)))),
        "brier_score_loss": lambda actual, given: _mean(_errors(actual, given) ** 2),
        "expected_calibration_error": lambda actual, given: _calibration(
            numpy.asarray(actual, dtype=float), _numbers(given)
        ),
    },
}
