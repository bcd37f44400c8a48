"""How much better the candidate is than the live model, with a paired bootstrap interval.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval. A test holds it against
scipy.stats.bootstrap, which gives the same numbers; importing scipy takes longer than the comparison.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from services.contract.gates import CompareGate
from services.contract.prediction import Labelled, Prediction, number_of

RESAMPLES = 1000
_BATCH = 50
_BEST_IS_ONE = ("accuracy_score", "average_precision_score")
_SMALLEST = float(numpy.finfo(float).eps)

# From how often each row was drawn, of shape (resamples, rows), to the error of each resample.
_Error = Callable[[numpy.ndarray], numpy.ndarray]


@dataclass(frozen=True)
class Difference:
    """The metric of both models, the interval of how much better the candidate is, and how much worse is allowed."""

    candidate: float
    live: float
    better_by: float
    low: float
    high: float
    allowed: float
    rows: int


def value_of(metric: str, actual: Sequence[Any], predictions: Sequence[Prediction]) -> float:
    """The metric on all rows."""
    return _value(metric, float(_error(metric, actual, predictions)(numpy.ones((1, len(actual))))[0]))


def paired_difference(
    gate: CompareGate, actual: Sequence[Any], candidate: Sequence[Prediction], live: Sequence[Prediction]
) -> Difference:
    """All three of shape (rows,), in the same order of rows."""
    of_candidate, of_live = (_error(gate.metric, actual, predictions) for predictions in (candidate, live))
    rows = len(actual)
    better = [of_live(weights) - of_candidate(weights) for weights in _resamples(rows)]
    tail = (1 - gate.confidence) / 2
    low, high = numpy.quantile(numpy.concatenate(better), (tail, 1 - tail))
    once = numpy.ones((1, rows))
    live_error, candidate_error = float(of_live(once)[0]), float(of_candidate(once)[0])
    return Difference(
        candidate=_value(gate.metric, candidate_error),
        live=_value(gate.metric, live_error),
        better_by=live_error - candidate_error,
        low=float(low),
        high=float(high),
        allowed=gate.margin.of(live_error),
        rows=rows,
    )


def _value(metric: str, error: float) -> float:
    return 1 - error if metric in _BEST_IS_ONE else error


def _resamples(rows: int) -> Iterator[numpy.ndarray]:
    """How often each row was drawn, of shape (_BATCH, rows), until there are RESAMPLES."""
    random = numpy.random.default_rng(0)
    for _ in range(0, RESAMPLES, _BATCH):
        yield _times_drawn(random.integers(0, rows, (_BATCH, rows)), rows)


def _times_drawn(drawn: numpy.ndarray, rows: int) -> numpy.ndarray:
    """From row numbers of shape (resamples, rows) to counts of the same shape."""
    resamples = len(drawn)
    shifted = drawn + numpy.arange(resamples)[:, None] * rows
    counts = numpy.bincount(shifted.ravel(), minlength=resamples * rows)
    return counts.reshape(resamples, rows).astype(float)


def _error(metric: str, actual: Sequence[Any], predictions: Sequence[Prediction]) -> _Error:
    if metric == "average_precision_score":
        return _average_precision_lacks(numpy.asarray(actual, dtype=float), _numbers(predictions))
    losses = _LOSSES[metric](actual, predictions)
    rows = len(losses)
    if metric == "root_mean_squared_error":
        return lambda weights: numpy.asarray(numpy.sqrt(weights @ losses / rows))
    return lambda weights: numpy.asarray(weights @ losses / rows)


def _average_precision_lacks(actual: numpy.ndarray, score: numpy.ndarray) -> _Error:
    """What average precision lacks of 1. Source: sklearn.metrics.average_precision_score, with weights of rows."""
    order = numpy.argsort(-score, kind="stable")
    truth = actual[order]
    # Rows of equal score come under one threshold together.
    last = numpy.append(numpy.flatnonzero(numpy.diff(score[order])), len(score) - 1)

    def error(weights: numpy.ndarray) -> numpy.ndarray:
        ordered = weights[:, order]
        seen = numpy.cumsum(ordered, axis=1)[:, last]
        hits = numpy.cumsum(ordered * truth, axis=1)[:, last]
        precision = hits / numpy.maximum(seen, 1)
        gained = numpy.diff(hits, axis=1, prepend=0)
        return numpy.asarray(1 - (precision * gained).sum(axis=1) / numpy.maximum(hits[:, -1], 1))

    return error


def _numbers(predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.array([number_of(prediction) for prediction in predictions], dtype=float)


def _absolute(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.asarray(numpy.abs(numpy.asarray(actual, dtype=float) - _numbers(predictions)))


def _squared(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    return _absolute(actual, predictions) ** 2


def _wrong(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    labels = [prediction.label if isinstance(prediction, Labelled) else prediction for prediction in predictions]
    return numpy.array([label != wanted for label, wanted in zip(labels, actual, strict=True)], dtype=float)


def _surprise(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    of_actual = numpy.abs(1 - numpy.asarray(actual, dtype=float) - _numbers(predictions))
    return numpy.asarray(-numpy.log(numpy.clip(of_actual, _SMALLEST, 1)))


_LOSSES: dict[str, Callable[[Sequence[Any], Sequence[Prediction]], numpy.ndarray]] = {
    "mean_absolute_error": _absolute,
    "root_mean_squared_error": _squared,
    "accuracy_score": _wrong,
    "log_loss": _surprise,
    "brier_score_loss": _squared,
}
