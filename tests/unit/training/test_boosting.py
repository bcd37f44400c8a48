"""XGBoost and LightGBM: what they would ignore, misread or answer twice is refused in one line of the library's own."""

from typing import Any

import numpy
import pandas
import pytest
import xgboost

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from tests.support.paths import MODELS
from training.flavors import lightgbm
from training.flavors import xgboost as flavor

ROWS = pandas.DataFrame({"a": numpy.arange(40.0), "b": numpy.arange(40.0)[::-1]})
TARGET = ROWS["a"] - 9


def config(task: str = "regression", **columns: str) -> ModelConfig:
    found = load_model_config(MODELS, "diamond-price")
    data = found.data.model_copy(update={"columns": columns or {"a": "double", "b": "long"}})
    return found.model_copy(update={"task": task, "data": data})


@pytest.mark.parametrize("library", [flavor, lightgbm], ids=["xgboost", "lightgbm"])
@pytest.mark.parametrize(
    ("plan", "declared", "words"),
    [
        (xgboost.XGBRegressor(), config(), "found XGBRegressor: for XGBRegressor write `library: sklearn` into"),
        ({}, config(a="double", day="date", at="datetime", word="string"), "columns of numbers, found day, at, word: "),
        ({"objective": lambda *_: None}, config(), "expected objective by its name, found a function"),
    ],
)
def test_a_plan_that_cannot_be_trained_or_asked_is_refused_before_the_fit(
    library: Any, plan: Any, declared: ModelConfig, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        library.check(plan, declared)


@pytest.mark.parametrize(("library", "objective"), [(flavor, "binary:logistic"), (lightgbm, "multiclass")])
def test_an_objective_of_classes_is_none_of_a_regression(library: Any, objective: str) -> None:
    with pytest.raises(Refused, match=f"expected an objective for regression, found {objective}"):
        library.check({"objective": objective}, config())


def test_a_parameter_that_the_library_would_ignore_is_refused() -> None:
    with pytest.raises(
        Refused, match="^expected parameters that LightGBM uses, found num_leafs: did you mean num_leaf"
    ):
        lightgbm.check({"num_leafs": 3, "n_estimators": 2}, config())
    for plan in ({"maxdepth": 3}, {"verbosity": 0, "early_stopping_rounds": 3}):
        with pytest.raises(Refused, match=f"^expected parameters that XGBoost uses, found {list(plan)[-1]}: leave"):
            flavor.fit(plan, ROWS, TARGET, None)


def test_the_number_of_trees_has_the_name_of_either_interface() -> None:
    for name in ("num_boost_round", "n_estimators"):
        assert flavor.fit({name: 3}, ROWS, TARGET, None).booster.num_boosted_rounds() == 3


@pytest.mark.parametrize(
    ("booster", "expected"), [("gbtree", "max_depth"), ("dart", "max_depth"), ("gblinear", "tolerance")]
)
def test_the_parameters_of_each_booster_are_told(booster: str, expected: str) -> None:
    model = flavor.fit({"booster": booster, "n_estimators": 1}, ROWS, TARGET, None)
    assert {f"booster.{expected}", "booster.objective"} <= flavor.parameters(model).keys()


def test_several_numbers_a_row_are_no_answer() -> None:
    plan = {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9], "n_estimators": 1}
    with pytest.raises(Refused, match="expected one number a row, found 2: train a model for each"):
        flavor.predict(flavor.fit(plan, ROWS, TARGET, None), ROWS)


def test_what_the_library_says_has_no_place_in_its_own_source() -> None:
    with pytest.raises(Refused, match="^expected parameters that XGBoost can train with, it says: label must be"):
        flavor.fit({"objective": "count:poisson"}, ROWS, TARGET, None)
