"""The metrics that model.yaml names are those of its task: a misspelt gate would never be measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.contract.errors import Refused
from services.contract.metrics import measure
from services.contract.model_config import load_model_config
from services.contract.prediction import Labelled
from services.contract.task import COMPARED, MEASURED, Task
from tests.support.paths import MODELS

MODEL = "flight-delay"


def refused(folder: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """What is said of flight-delay, a binary classification, after the change; without its folder."""
    content = yaml.safe_load((MODELS / MODEL / "model.yaml").read_text())
    change(content)
    (folder / MODEL).mkdir()
    (folder / MODEL / "model.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(Refused) as complaint:
        load_model_config(folder, MODEL)
    return str(complaint.value).removeprefix(f"{folder}/{MODEL}/")


def line_of(folder: Path, text: str) -> int:
    lines = (folder / MODEL / "model.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(text))


@pytest.mark.parametrize("name", ["accuracy", "mean_absolute_error", "log_los"])
def test_a_threshold_on_what_is_not_measured_is_refused_by_its_line(name: str, tmp_path: Path) -> None:
    said = refused(tmp_path, lambda content: content["gates"].update(thresholds={name: {"min": 0.5}}))
    assert said == (
        f"model.yaml:{line_of(tmp_path, f'{name}:')}: gates.thresholds.{name}: expected one of "
        "average_precision_score, roc_auc_score, log_loss, brier_score_loss, expected_calibration_error "
        "for binary-classification, found another"
    )


def test_a_comparison_by_what_is_not_measured_is_refused_by_its_line(tmp_path: Path) -> None:
    said = refused(tmp_path, lambda content: content["gates"]["compare"].update(metric="accuracy"))
    assert said == (
        f"model.yaml:{line_of(tmp_path, 'metric:')}: gates.compare.metric: expected one of "
        "average_precision_score, log_loss, brier_score_loss for binary-classification, found 'accuracy'"
    )


def test_a_check_of_two_fields_is_placed_at_the_one_that_it_names(tmp_path: Path) -> None:
    said = refused(tmp_path, lambda content: content["data"].update(optional=["colour"]))
    assert said == (
        f"model.yaml:{line_of(tmp_path, 'optional:')}: data: optional: expected names of columns, found 'colour'"
    )


@pytest.mark.parametrize("task", MEASURED)
def test_the_metrics_of_a_task_are_those_that_are_measured(task: Task) -> None:
    labels: list[Any] = ["a", "b"] if task == "classification" else [0, 1]
    answers = [Labelled(label=label, probability=0.9, probabilities={"a": 0.5, "b": 0.5}) for label in labels]
    found = measure(task, labels, [1.0, 2.0] if task == "regression" else answers)
    assert tuple(found) == MEASURED[task]
    assert set(COMPARED[task]) <= set(MEASURED[task])
