"""What compare looks at: each declared metric on all rows and on each slice."""

from collections.abc import Sequence
from typing import Any

import numpy

from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from services.contract.task import MEASURED, Task
from services.delivery.statistics.weighted_metrics import weighted_metrics

_CALIBRATION = "expected_calibration_error"


def metrics_of(config: ModelConfig) -> list[str]:
    """The one that decides first, then those that have a bound, then calibration where the task has probabilities."""
    gates = config.gates
    bounded = [*gates.thresholds, *(name for one in gates.slices.values() for name in one.thresholds)]
    calibration = [_CALIBRATION] if _CALIBRATION in MEASURED[config.task] else []
    return list(dict.fromkeys([gates.compare.metric, *bounded, *calibration]))


def value_of(metric: str, task: Task, actual: Sequence[Any], predictions: Sequence[Prediction]) -> float:
    """On all rows, of which there are some: NaN where the metric has no value on them."""
    return float(weighted_metrics([metric], task, actual, predictions)(numpy.ones((1, len(actual))))[0, 0])
