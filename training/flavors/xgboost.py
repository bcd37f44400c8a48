"""XGBoost: fitted on numbers, logged as the library's own UBJSON, which is not code."""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import mlflow
import pandas
import xgboost
from mlflow.models import ModelSignature

from services.contract import names
from services.contract.boosted import CLASSES, Boosted, read_answers
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from training.boosting import Objectives, check_plan, prepare, refuse_unknown, said
from training.dataset import read_csv as read

__all__ = ["check", "fit", "learning_curves", "log_model", "parameters", "predict", "read"]

LIBRARIES = ("mlflow", "xgboost-cpu", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False
_OBJECTIVES = Objectives(binary="binary:logistic", classes="multi:softprob")
# As XGBoost's `train` and its `XGBRegressor` call the number of trees.
_ROUNDS, _DEFAULT_ROUNDS = ("num_boost_round", "n_estimators"), 100
_TRAINED_WITH = "_train_param"
_UNUSED = re.compile(r"Parameters: \{ (.*) \} are not used")


def check(plan: Any, config: ModelConfig) -> None:
    """Raises Refused for a plan, or columns, that the library cannot fit for such a task."""
    check_plan(plan, config, _OBJECTIVES)


def fit(plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Boosted:  # noqa: ARG001
    """`plan` is a dict of XGBoost's parameters, the number of trees among them.

    Raises Refused, with XGBoost's reason, for those that it does not take, and for those that it would not use.
    """
    fitting = prepare(plan, target, _OBJECTIVES)
    rounds = [fitting.parameters.pop(name) for name in _ROUNDS if name in fitting.parameters] or [_DEFAULT_ROUNDS]
    rows = xgboost.DMatrix(inputs.to_numpy(dtype=float), fitting.target.to_numpy())
    try:
        refuse_unknown(_unused(fitting.parameters, rows), (), "XGBoost")
        return Boosted(xgboost.train(fitting.parameters, rows, rounds[0]), fitting.classes)
    except (xgboost.core.XGBoostError, TypeError) as error:
        raise Refused(f"expected parameters that XGBoost can train with, it says: {said(error)}") from error


def _unused(parameters: dict[str, Any], rows: xgboost.DMatrix) -> list[str]:
    """XGBoost only warns of them, and trains without."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        xgboost.Booster({**parameters, "verbosity": 1, "validate_parameters": True}, [rows]).save_config()
    found = [match[1] for one in warned if (match := _UNUSED.search(str(one.message)))]
    return [name.strip('" ') for names_ in found for name in names_.split(",")]


def predict(model: Boosted, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    return read_answers(model.classes, model.booster.predict(xgboost.DMatrix(inputs.to_numpy(dtype=float))))


def parameters(model: Boosted) -> dict[str, Any]:
    """Of the trees, or what stands in their place, and the objective, defaults included."""
    learner = json.loads(model.booster.save_config())["learner"]
    found = {**dict(_trained_with(learner["gradient_booster"])), "objective": learner["objective"]["name"]}
    return {f"booster.{name}": value for name, value in found.items()}


def _trained_with(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each kind of booster has its own part for it, at a depth of its own."""
    for name, part in config.items():
        if isinstance(part, dict):
            yield from part.items() if name.endswith(_TRAINED_WITH) else _trained_with(part)


def learning_curves(
    model: Boosted,  # noqa: ARG001  keeps none, as it is given no rows to be measured on
    inputs: pandas.DataFrame,  # noqa: ARG001
    target: pandas.Series,  # noqa: ARG001
) -> dict[str, list[float]]:
    return {}


def log_model(model: Boosted, signature: ModelSignature, example: pandas.DataFrame, requirements: list[str]) -> str:
    logged = mlflow.xgboost.log_model(
        model.booster,
        name=names.LOGGED_MODEL_NAME,
        model_format="ubj",
        signature=signature,
        input_example=example,
        pip_requirements=requirements,
        metadata={CLASSES: list(model.classes)},
    )
    return str(logged.model_id)
