"""The example of model.yaml is a row that the model can be asked, and nothing else."""

import datetime
from pathlib import Path

import pytest
import yaml

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, list_models, load_model_config
from tests.support.paths import MODELS

FLIGHT = "flight-delay"


def load_with(tmp_path: Path, **changes: object) -> ModelConfig:
    """flight-delay with these values in its example; `(removed)` takes the column out."""
    content = yaml.safe_load((MODELS / FLIGHT / "model.yaml").read_text())
    row = {**content["example"], **changes}
    content["example"] = {name: value for name, value in row.items() if value != "(removed)"}
    (tmp_path / FLIGHT).mkdir()
    (tmp_path / FLIGHT / "model.yaml").write_text(yaml.safe_dump(content))
    return load_model_config(tmp_path, FLIGHT)


@pytest.mark.parametrize("model", list_models(MODELS))
def test_every_model_that_ships_has_an_example_in_the_order_of_its_columns(model: str) -> None:
    config = load_model_config(MODELS, model)
    assert config.example is not None
    assert list(config.example) == list(config.data.columns)


def test_values_keep_their_types(tmp_path: Path) -> None:
    example = load_with(tmp_path, distance=748).example
    assert example is not None
    assert (example["month"], example["temp"], example["distance"]) == (12, 42.8, 748)
    assert isinstance(example["month"], int)
    assert example["pressure"] is None, "an optional column may be null"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("date", datetime.date(2013, 12, 27), "2013-12-27"),
        ("date", "2013-12-27", "2013-12-27"),
        ("datetime", datetime.datetime(2013, 12, 27, 19, tzinfo=datetime.UTC), "2013-12-27T19:00:00+00:00"),
        ("date", datetime.datetime(2013, 12, 27, 19, tzinfo=datetime.UTC), None),
        ("datetime", "Friday", None),
        ("date", 2013, None),
        ("string", datetime.date(2013, 12, 27), "2013-12-27"),
    ],
)
def test_a_moment_may_be_written_as_yaml_has_it(kind: str, value: object, expected: str | None, tmp_path: Path) -> None:
    content = yaml.safe_load((MODELS / FLIGHT / "model.yaml").read_text())
    content["data"]["columns"] = {"day": kind}
    content["data"]["optional"] = ["day"]
    content["gates"]["slices"] = {}
    content["example"] = {"day": value}
    (tmp_path / FLIGHT).mkdir()
    (tmp_path / FLIGHT / "model.yaml").write_text(yaml.safe_dump(content))
    if expected is None:
        with pytest.raises(Refused, match=f"example: expected a {kind} for 'day', found"):
            load_model_config(tmp_path, FLIGHT)
    else:
        assert load_model_config(tmp_path, FLIGHT).example == {"day": expected}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"carrier": None}, "expected a string for 'carrier', found None"),
        ({"carrier": 9}, "expected a string for 'carrier', found 9"),
        ({"month": 12.5}, "expected a long for 'month', found 12.5"),
        ({"month": True}, "expected a long for 'month', found True"),
        ({"temp": "warm"}, "expected a double for 'temp', found 'warm'"),
        ({"late": 1}, "expected a value for each column of data.columns, found late in one only"),
        ({"visib": "(removed)"}, "expected a value for each column of data.columns, found visib in one only"),
    ],
)
def test_an_example_that_the_model_cannot_be_asked_is_refused(
    tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(Refused, match=rf"model\.yaml:\d\d+: example: {problem}"):
        load_with(tmp_path, **changes)
