"""Which distributions a run names with their versions."""

from typing import Any

import pytest
from lightgbm import LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from services.contract.model_config import load_model_config
from tests.support.paths import MODELS
from training.flavors import find_flavor
from training.libraries import libraries_of

OURS = ("mlflow", "scikit-learn", "skops", "numpy", "pandas")


@pytest.mark.parametrize(
    ("plan", "beside"),
    [
        (make_pipeline(StandardScaler(), Ridge()), ()),
        (LGBMRegressor(), ("lightgbm",)),
        (make_pipeline(StandardScaler(), XGBClassifier()), ("xgboost-cpu",)),
        (TransformedTargetRegressor(make_pipeline(StandardScaler(), LGBMRegressor())), ("lightgbm",)),
    ],
)
def test_a_booster_within_a_pipeline_of_scikit_learn_is_named_with_its_library(
    plan: Any, beside: tuple[str, ...]
) -> None:
    assert libraries_of(find_flavor("sklearn"), plan) == (*OURS, *beside)


@pytest.mark.parametrize(
    ("plan", "kind", "noted"),
    [(LGBMRegressor(), "date", True), (LGBMRegressor(), "double", False), (Ridge(), "date", False)],
)
def test_a_booster_beside_dates_is_noted_as_for_batch_only_before_the_fit(
    plan: Any, kind: str, noted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_model_config(MODELS, "diamond-price")
    data = config.data.model_copy(update={"columns": {"day": kind, "x": "double"}})
    find_flavor("sklearn").check(plan, config.model_copy(update={"data": data}))
    note = (
        "note: no ONNX is written for the dates of day, and prediction-sklearn has no lightgbm, so the model will be "
        "for batch only"
    )
    assert caplog.messages == [note] * noted


def test_the_plan_of_another_library_names_that_library_once() -> None:
    flavor = find_flavor("lightgbm")
    assert libraries_of(flavor, {"objective": "l2"}) == flavor.LIBRARIES
