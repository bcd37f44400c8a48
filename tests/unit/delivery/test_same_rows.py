"""The live model is asked by its own columns, wherever the candidate's hold-out has them."""

from typing import Any

import pytest

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.release import Column, Manifest
from services.delivery.gates.same_rows import as_live_sees_it
from services.delivery.scoring.holdout import Holdout
from tests.support.release_factory import INPUTS, ReleasePlan, build_release

HOLDOUT = Holdout(rows=[[1, "Ideal", 0.5], [2, "Fair", 0.7]], actual=[9.0, 8.0], edges=[[3, "", 0.0]])


def config(columns: dict[str, str], **changes: Any) -> ModelConfig:
    known = {
        "name": "diamond-price",
        "description": "made up",
        "library": "sklearn",
        "task": "regression",
        "data": {"source": "made up", "target": "price", "columns": columns, "holdout_sha256": None},
        "variants": {"only": {}},
        "gates": {
            "thresholds": {"r2_score": {"min": 0}},
            "latency_p99_ms": 1,
            "compare": {"metric": "mean_absolute_error"},
        },
    }
    return ModelConfig.model_validate(known | changes)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Of carat, cut and grade."""
    return build_release(tmp_path_factory.mktemp("store"), ReleasePlan()).manifest


def test_columns_that_were_moved_are_asked_in_the_order_of_the_live_model(live: Manifest) -> None:
    moved = config({"grade": "long", "cut": "string", "carat": "double"})
    seen, holdout = as_live_sees_it(moved, live, HOLDOUT)
    assert holdout.rows == [[0.5, "Ideal", 1], [0.7, "Fair", 2]]
    assert holdout.edges == [[0.0, "", 3]]
    assert seen.inputs == INPUTS


def test_a_column_that_is_new_is_not_shown_to_the_live_model_and_an_optional_one_stays_so(live: Manifest) -> None:
    optional = live.model_copy(update={"inputs": (INPUTS[0], Column(name="cut", type="string", required=False))})
    seen, holdout = as_live_sees_it(config({"grade": "long", "cut": "string", "carat": "double"}), optional, HOLDOUT)
    assert holdout.rows == [[0.5, "Ideal"], [0.7, "Fair"]]
    assert seen.inputs == optional.inputs


@pytest.mark.parametrize("kind", ["string", None])
def test_a_column_that_is_gone_or_of_another_type_cannot_be_asked_for(kind: str | None, live: Manifest) -> None:
    columns = {"carat": "double", "cut": "string"} | ({"grade": kind} if kind else {})
    with pytest.raises(Refused, match="expected its column 'grade' of type long in the candidate's hold-out, found"):
        as_live_sees_it(config(columns), live, HOLDOUT)


def test_a_model_of_another_task_cannot_be_compared(live: Manifest) -> None:
    other = live.model_copy(update={"task": "classification"})
    with pytest.raises(Refused, match="expected a regression as the candidate is, found a classification"):
        as_live_sees_it(config({"carat": "double", "cut": "string", "grade": "long"}), other, HOLDOUT)


def test_a_release_of_the_same_columns_is_asked_the_rows_as_they_are(live: Manifest) -> None:
    same = Holdout(rows=[[0.5, "Ideal", 1]], actual=[9.0], edges=[])
    assert as_live_sees_it(config({"carat": "double", "cut": "string", "grade": "long"}), live, same)[1] == same
