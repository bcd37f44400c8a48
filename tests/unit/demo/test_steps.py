"""A model has a demo because its folder has a demo.yaml, and the demo asks the example of its model.yaml."""

import shutil
from pathlib import Path

import pytest

from demo.scenario import DemoScenario
from demo.steps import DEMO_FILE, load_steps
from services.contract.errors import Refused
from services.contract.model_config import list_models, load_model_config
from services.platform.settings import Urls
from tests.support.paths import MODELS

MODEL = "diamond-price"
URLS = Urls(mlflow="http://127.0.0.1:1", gocd="http://127.0.0.1:2/go", rollout="http://127.0.0.1:3")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with a copy of diamond-price."""
    shutil.copytree(MODELS / MODEL, tmp_path / MODEL)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("model", list_models(MODELS))
def test_every_model_that_ships_has_a_demo_that_asks_its_example(model: str) -> None:
    steps, row = load_steps(MODELS, model)
    config = load_model_config(MODELS, model)
    assert row == config.example
    assert steps.baseline.variant != steps.better.variant
    assert {steps.baseline.variant, steps.better.variant} <= set(config.variants)


def test_a_folder_with_a_demo_is_all_that_a_new_model_needs(models: Path) -> None:
    shutil.copytree(models / MODEL, models / "gem-price")
    replace(models / "gem-price" / "model.yaml", f"name: {MODEL}", "name: gem-price")
    DemoScenario(URLS, {}, models, "gem-price", print)


def test_a_model_without_a_demo_is_answered_with_those_that_have_one(models: Path) -> None:
    shutil.copytree(models / MODEL, models / "gem-price", ignore=shutil.ignore_patterns(DEMO_FILE))
    replace(models / "gem-price" / "model.yaml", f"name: {MODEL}", "name: gem-price")
    with pytest.raises(Refused, match=f"gem-price/demo.yaml, found none: models with a demo are {MODEL}$"):
        load_steps(models, "gem-price")


def test_a_model_without_an_example_has_no_demo(models: Path) -> None:
    replace(models / MODEL / "model.yaml", "example: {", "# {")
    with pytest.raises(Refused, match="expected an `example` in .*diamond-price/model.yaml, found none"):
        load_steps(models, MODEL)


def test_a_variant_that_the_model_has_not_is_refused(models: Path) -> None:
    replace(models / MODEL / DEMO_FILE, "variant: boosted", "variant: deeper")
    known = "linear, boosted, boosted-slow, boosted-small"
    with pytest.raises(Refused, match=rf"demo.yaml: expected a variant of model.yaml \({known}\), found 'deeper'"):
        load_steps(models, MODEL)


def test_a_wrong_field_of_the_demo_is_named_with_file_and_line(models: Path) -> None:
    replace(models / MODEL / DEMO_FILE, "reason: boosted", "because: boosted")
    with pytest.raises(Refused, match=r"demo\.yaml:\d+: better"):
        load_steps(models, MODEL)
