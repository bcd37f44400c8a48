"""How much better the candidate is than the live model, with a paired bootstrap interval.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval; scipy.stats.bootstrap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from scipy.stats import bootstrap

from services.contract.model_config import CompareGate

RESAMPLES = 2000
_BATCH = 100


@dataclass(frozen=True)
class Difference:
    """Errors of both models, the interval of live minus candidate, and how much worse is allowed; target's unit."""

    candidate: float
    live: float
    low: float
    high: float
    allowed: float
    rows: int


def error_of(metric: str, actual: Sequence[float], predicted: Sequence[float]) -> float:
    return float(_error(metric, _losses(metric, actual, predicted)))


def paired_difference(
    gate: CompareGate, actual: Sequence[float], candidate: Sequence[float], live: Sequence[float]
) -> Difference:
    """All three of shape (rows,), in the same order of rows."""
    losses = [_losses(gate.metric, actual, predicted) for predicted in (live, candidate)]

    def better(of_live: numpy.ndarray, of_candidate: numpy.ndarray, axis: int) -> numpy.ndarray:
        return numpy.asarray(_error(gate.metric, of_live, axis) - _error(gate.metric, of_candidate, axis))

    found = bootstrap(
        losses,
        better,
        paired=True,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        confidence_level=gate.confidence,
        method="percentile",
        rng=0,
    ).confidence_interval
    live_error, candidate_error = (float(_error(gate.metric, loss)) for loss in losses)
    return Difference(
        candidate_error, live_error, float(found.low), float(found.high), gate.margin * live_error, len(actual)
    )


def _losses(metric: str, actual: Sequence[float], predicted: Sequence[float]) -> numpy.ndarray:
    difference = numpy.asarray(actual) - numpy.asarray(predicted)
    return numpy.asarray(numpy.abs(difference) if metric == "mean_absolute_error" else difference**2)


def _error(metric: str, losses: numpy.ndarray, axis: int = -1) -> numpy.ndarray:
    mean = losses.mean(axis=axis)
    return numpy.asarray(mean if metric == "mean_absolute_error" else numpy.sqrt(mean))
