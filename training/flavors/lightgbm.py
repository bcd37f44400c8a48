"""LightGBM: fitted on numbers, logged as the library's own text, which is not code."""

from collections.abc import Sequence
from typing import Any

import lightgbm
import mlflow
import pandas
from lightgbm.basic import _ConfigAliases
from mlflow.models import ModelSignature

from services.contract import names
from services.contract.boosted import CLASSES, Boosted, read_answers
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from training.boosting import Objectives, check_plan, prepare, refuse_unknown, said
from training.dataset import read_csv as read

__all__ = ["check", "fit", "learning_curves", "log_model", "parameters", "predict", "read"]

LIBRARIES = ("mlflow", "lightgbm", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False
_OBJECTIVES = Objectives(binary="binary", classes="multiclass")


def check(plan: Any, config: ModelConfig) -> None:
    """Raises Refused for a plan, or columns, that the library cannot fit for such a task, and for what it ignores."""
    check_plan(plan, config, _OBJECTIVES)
    known = {
        alias for aliases in _ConfigAliases._get_all_param_aliases().items() for alias in (aliases[0], *aliases[1])
    }
    refuse_unknown(sorted(plan.keys() - known), known, "LightGBM")


def fit(plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Boosted:  # noqa: ARG001
    """`plan` is a dict of LightGBM's parameters. Raises Refused, with LightGBM's reason, for those it does not take."""
    fitting = prepare(plan, target, _OBJECTIVES)
    rows = lightgbm.Dataset(inputs.to_numpy(dtype=float), fitting.target)
    try:
        return Boosted(lightgbm.train(fitting.parameters, rows), fitting.classes)
    except (lightgbm.basic.LightGBMError, TypeError) as error:
        raise Refused(f"expected parameters that LightGBM can train with, it says: {said(error)}") from error


def predict(model: Boosted, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    return read_answers(model.classes, model.booster.predict(inputs.to_numpy(dtype=float)))


def parameters(model: Boosted) -> dict[str, Any]:
    return {f"booster.{name}": value for name, value in model.booster.params.items()}


def learning_curves(
    model: Boosted,  # noqa: ARG001  keeps none, as its Booster is given no rows to be measured on
    inputs: pandas.DataFrame,  # noqa: ARG001
    target: pandas.Series,  # noqa: ARG001
) -> dict[str, list[float]]:
    return {}


def log_model(model: Boosted, signature: ModelSignature, example: pandas.DataFrame, requirements: list[str]) -> str:
    logged = mlflow.lightgbm.log_model(
        model.booster,
        name=names.LOGGED_MODEL_NAME,
        signature=signature,
        input_example=example,
        pip_requirements=requirements,
        metadata={CLASSES: list(model.classes)},
    )
    return str(logged.model_id)
