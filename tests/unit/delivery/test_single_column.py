"""A column that predicts alone what the model predicts is named, for that is how a leaked target looks."""

import math
from typing import Any

import numpy
import pytest

from services.contract.model_config import ModelConfig
from services.contract.prediction import Labelled
from services.contract.task import COMPARED, MEASURED, Task
from services.delivery.gates.single_column import column_skills
from services.delivery.scoring.holdout import Holdout

ROWS = 2000


def config(task: Task, **columns: str) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "name": "toy",
            "description": "made up",
            "library": "sklearn",
            "task": task,
            "data": {
                "source": "made up",
                "target": "y",
                "columns": columns,
                "optional": list(columns),
                "holdout_sha256": None,
            },
            "variants": {"only": {}},
            "gates": {
                "thresholds": {MEASURED[task][0]: {"min": 0}},
                "latency_p99_ms": 1,
                "compare": {"metric": COMPARED[task][0]},
            },
        }
    )


def holdout(actual: list[Any], *columns: list[Any]) -> Holdout:
    return Holdout([list(row) for row in zip(*columns, strict=True)], actual, [])


def noise(seed: int) -> numpy.ndarray:
    return numpy.random.default_rng(seed).normal(size=ROWS)


def named(warnings: tuple[str, ...]) -> list[str]:
    return [warning.split("'")[1] for warning in warnings]


@pytest.mark.parametrize(
    "leak", [lambda y: y, lambda y: None if y > 2 else str(y), lambda y: math.nan if y > 2 else -3 * y]
)
def test_a_target_that_leaked_into_a_column_is_named(leak: Any) -> None:
    one, other = noise(1), noise(2)
    actual = (one + other).tolist()
    leaked = [leak(y) for y in actual]
    kind = "string" if any(isinstance(cell, str) for cell in leaked) else "double"
    found = column_skills(config("regression", one="double", leak=kind), holdout(actual, one.tolist(), leaked))
    assert found
    warnings = found.warnings([y + 0.01 for y in actual])
    assert named(warnings) == ["leak"]
    assert "alone predicts nearly as well as the model (skill " in warnings[0]


def test_columns_that_only_together_tell_the_target_are_not_named() -> None:
    one, other = noise(1), noise(2)
    actual = (one + other).tolist()
    found = column_skills(config("regression", a="double", b="double"), holdout(actual, one.tolist(), other.tolist()))
    assert found
    assert found.warnings(actual) == ()
    # Each of them is half of the variance, and a tree learns some of the other half by heart.
    assert all(0.2 < skill < 0.5 for skill in found.skills.values())


def test_a_model_that_tells_no_more_than_a_constant_is_not_compared() -> None:
    actual = noise(3).tolist()
    found = column_skills(
        config("regression", a="double", b="double"), holdout(actual, noise(1).tolist(), noise(2).tolist())
    )
    assert found
    assert found.warnings([0.0] * ROWS) == ()


def test_a_label_that_leaked_as_a_word_is_named() -> None:
    actual = [f"class {n % 7}" for n in range(ROWS)]
    leaked = [f"code {(5 * n) % 7}" for n in range(ROWS)]
    declared = config("classification", a="double", leak="string")
    found = column_skills(declared, holdout(actual, noise(1).tolist(), leaked))
    assert found
    answers = [Labelled(label=label, probability=0.9) for label in actual]
    assert named(found.warnings(answers)) == ["leak"]
    # A model that is always wrong is not better than a constant.
    assert found.warnings([Labelled(label="nothing", probability=0.9)] * ROWS) == ()


def test_a_probability_is_held_against_0_and_1() -> None:
    late = (noise(1) > 1).astype(int).tolist()
    declared = config("binary-classification", a="double", arrived="datetime")
    moments = [f"2026-01-0{1 + value}T00:00:00Z" for value in late]
    found = column_skills(declared, holdout(late, noise(2).tolist(), moments))
    assert found
    sure = [Labelled(label=value, probability=0.05 + 0.9 * value) for value in late]
    assert named(found.warnings(sure)) == ["arrived"]


def test_a_column_that_makes_the_target_only_probable_is_named_as_well() -> None:
    """As the delay of a departure does for that of an arrival: a leaf of few rows knows no chance."""
    delay = noise(1)
    chance = 1 / (1 + numpy.exp(-4 * delay))
    late = (numpy.random.default_rng(5).random(ROWS) < chance).astype(int).tolist()
    found = column_skills(
        config("binary-classification", a="double", delay="double"), holdout(late, noise(2).tolist(), delay.tolist())
    )
    assert found
    assert named(found.warnings([Labelled(label=round(p), probability=p) for p in chance.tolist()])) == ["delay"]


def test_a_model_of_one_column_has_nothing_to_be_compared_with() -> None:
    assert column_skills(config("regression", a="double"), holdout([1.0, 2.0], [1.0, 2.0])) is None


def test_of_a_long_hold_out_a_part_of_the_rows_is_looked_at() -> None:
    actual = list(range(100_000))
    found = column_skills(config("regression", a="double", b="double"), holdout(actual, actual, actual))
    assert found
    assert len(found.places) == len(set(found.places)) == 20_000


@pytest.mark.parametrize(
    "cells",
    [
        [1e300 * n for n in range(ROWS)],
        ["1e999"] * ROWS,
        [math.nan] * ROWS,
        [""] * ROWS,
        [10**18 + n for n in range(ROWS)],
    ],
    ids=["huge", "infinite text", "all missing", "empty text", "long"],
)
def test_a_column_of_odd_values_is_looked_at_as_any_other(cells: list[Any]) -> None:
    actual = [float(n % 50) for n in range(ROWS)]
    kind = "string" if isinstance(cells[0], str) else "double"
    found = column_skills(config("regression", a="double", odd=kind), holdout(actual, noise(1).tolist(), cells))
    assert found
    assert found.warnings(actual) == ()


def test_numbers_that_single_precision_does_not_tell_apart_are_told_apart() -> None:
    late = [float(n % 2) for n in range(ROWS)]
    leaked = [1.7e9 + value for value in late]
    found = column_skills(config("regression", a="double", leak="double"), holdout(late, noise(1).tolist(), leaked))
    assert found
    assert named(found.warnings(late)) == ["leak"]


@pytest.mark.parametrize("rows", [0, 1, 2, 19])
def test_of_a_few_rows_nothing_is_said(rows: int) -> None:
    values = [float(n) for n in range(rows)]
    assert column_skills(config("regression", a="double", b="double"), holdout(values, values, values)) is None


def test_a_hold_out_of_one_target_only_is_nothing_to_compare_by() -> None:
    found = column_skills(
        config("regression", a="double", b="double"), holdout([1.0] * ROWS, noise(1).tolist(), noise(2).tolist())
    )
    assert found
    assert found.warnings([1.0] * ROWS) == ()
