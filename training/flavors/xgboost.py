"""XGBoost: fitted on numbers, logged as the library's own UBJSON, which is not code."""

import json
from collections.abc import Sequence
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
from training.boosting import Objectives, check_plan, prepare
from training.dataset import read_csv as read

__all__ = ["check", "fit", "learning_curves", "log_model", "parameters", "predict", "read"]

LIBRARIES = ("mlflow", "xgboost-cpu", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False
_OBJECTIVES = Objectives(binary="binary:logistic", classes="multi:softprob")
_ROUNDS, _DEFAULT_ROUNDS = "num_boost_round", 100


def check(plan: Any, config: ModelConfig) -> None:
    """Raises Refused for a plan, or columns, that the library cannot fit for such a task."""
    check_plan(plan, config, _OBJECTIVES)


def fit(plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Boosted:  # noqa: ARG001
    """`plan` is a dict of XGBoost's parameters, `num_boost_round` among them.

    Raises Refused, with XGBoost's reason, for those that it does not take.
    """
    fitting = prepare(plan, target, _OBJECTIVES)
    rounds = fitting.parameters.pop(_ROUNDS, _DEFAULT_ROUNDS)
    rows = xgboost.DMatrix(inputs.to_numpy(dtype=float), fitting.target.to_numpy())
    try:
        return Boosted(xgboost.train(fitting.parameters, rows, rounds), fitting.classes)
    except (xgboost.core.XGBoostError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Refused(f"expected parameters that XGBoost can train with, it says: {reason}") from error


def predict(model: Boosted, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    return read_answers(model.classes, model.booster.predict(xgboost.DMatrix(inputs.to_numpy(dtype=float))))


def parameters(model: Boosted) -> dict[str, Any]:
    """Of the trees and the objective, defaults included."""
    learner = json.loads(model.booster.save_config())["learner"]
    found = {**learner["gradient_booster"]["tree_train_param"], "objective": learner["objective"]["name"]}
    return {f"booster.{name}": value for name, value in found.items()}


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
