"""The gates of what the answers are worth, from one set of resamples: thresholds and slices."""

from collections.abc import Sequence
from typing import Any

from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from services.contract.task import MEASURED
from services.contract.verdict import Check, Estimate
from services.delivery.gates.slices import slice_checks, to_be_judged
from services.delivery.gates.thresholds import metrics_of, threshold_checks
from services.delivery.scoring.holdout import Holdout
from services.delivery.statistics.groups import everything, slices_of
from services.delivery.statistics.intervals import Group, estimates


def quality_checks(config: ModelConfig, holdout: Holdout, answers: Sequence[Prediction]) -> list[Check]:
    """`answers` are the finite ones: where a row has none nothing is measured, and nothing can be concluded."""
    if len(answers) < len(holdout.rows):
        return threshold_checks({}, config)
    slices = to_be_judged(slices_of(config, holdout.rows, holdout.actual), config)
    groups = [everything(holdout.rows), *(group for one in slices for group in one.groups)]
    found = _estimates(config, holdout.actual, answers, groups)
    of_slices = [check for one in slices for check in slice_checks(one, found, config)]
    return [*threshold_checks(found[None], config), *of_slices]


def _estimates(
    config: ModelConfig, actual: Sequence[Any], answers: Sequence[Prediction], groups: Sequence[Group]
) -> dict[str | None, dict[str, Estimate]]:
    """By name of the group and metric."""
    bounded = metrics_of(config)
    metrics = [metric for metric in MEASURED[config.task] if metric in bounded]
    found = estimates(metrics, config.task, actual, answers, groups, config.gates.confidence)
    return {group.name: {one.metric: one for one in of_group} for group, of_group in zip(groups, found, strict=True)}
