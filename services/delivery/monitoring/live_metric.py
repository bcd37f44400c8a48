"""The metric on rows whose label has come, beside the one that validate promised on the hold-out.

Source: Zou and Donner, Construction of Confidence Limits about Effect Measures, Statistics in Medicine 27 (2008): the
interval of a difference of two independent estimates from the interval of each.
"""

from collections.abc import Sequence
from math import hypot
from typing import Any

from services.contract.model_config import ModelConfig
from services.contract.monitoring import Drift, LiveMetric
from services.contract.prediction import Prediction
from services.contract.task import BETTER_ABOVE
from services.contract.validation import Validation
from services.contract.verdict import Estimate
from services.delivery.gates.non_inferiority import error_of
from services.delivery.gates.slices import GATE as SLICES
from services.delivery.statistics.groups import everything
from services.delivery.statistics.intervals import estimates

# Resamples of more rows take minutes, and make an interval that is narrower than any margin.
MOST_LABELLED = 50_000


def live_metric(
    config: ModelConfig, promised: Estimate | None, labelled: Sequence[tuple[Prediction, Any]], unmatched: int
) -> LiveMetric | None:
    """None where nothing was promised or the labelled rows have no value, as with one class only."""
    live = estimate(config, [answer for answer, _ in labelled], [label for _, label in labelled])
    if promised is None or live is None:
        return None
    better_by, low, high = difference(promised, live, better_above=promised.metric in BETTER_ABOVE)
    allowed = config.gates.compare.margin.of(error_of(promised.metric, promised.value))
    return LiveMetric(
        metric=promised.metric,
        promised=promised,
        live=live,
        better_by=better_by,
        low=low,
        high=high,
        allowed=allowed,
        unmatched=unmatched,
        verdict=_verdict(low, high, allowed, few=live.rows < config.monitoring.min_rows),
    )


def promised_by(validation: Validation, metric: str) -> Estimate | None:
    """With its interval, where a threshold bounds it."""
    found = (one.estimate for one in validation.checks if one.estimate and one.gate != SLICES)
    return next((one for one in found if one.metric == metric), None)


def estimate(config: ModelConfig, answers: Sequence[Prediction], actual: Sequence[Any]) -> Estimate | None:
    """By the metric and the confidence of `gates.compare`."""
    if not answers:
        return None
    gate, rows = config.gates.compare, slice(MOST_LABELLED)
    of_all = [everything(answers[rows])]
    (found,) = estimates([gate.metric], config.task, actual[rows], answers[rows], of_all, gate.confidence)
    return next(iter(found), None)


def difference(promised: Estimate, live: Estimate, *, better_above: bool) -> tuple[float, float, float]:
    """How much better the live one is, with its interval."""
    value = live.value - promised.value
    low = value - hypot(live.value - live.low, promised.high - promised.value)
    high = value + hypot(live.high - live.value, promised.value - promised.low)
    return (value, low, high) if better_above else (-value, -high, -low)


def _verdict(low: float, high: float, allowed: float, few: bool) -> Drift:
    """As compare decides: an interval that is wholly above what is allowed shows that it holds, one below the contrary,
    and any other shows nothing."""
    if few:
        return Drift.TOO_FEW
    return Drift.DRIFTED if high < -allowed else Drift.STABLE if low >= -allowed else Drift.TOO_FEW
