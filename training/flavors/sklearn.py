"""scikit-learn: fitted on a DataFrame, logged as skops so that no service ever loads a pickle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas
from mlflow.models import ModelSignature
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from services.contract import names
from services.contract.errors import Refused
from services.contract.estimator import SKLEARN_TRUSTED, ask_estimator
from services.contract.model_config import Data, ModelConfig
from services.contract.prediction import Prediction
from services.contract.task import Task
from training.dataset import read_csv
from training.sklearn_plan import refuse_without_one_answer

LIBRARIES = ("mlflow", "scikit-learn", "skops", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False


def read(path: Path, data: Data, task: Task) -> pandas.DataFrame:
    return read_csv(path, data, task)


def check(plan: Any, config: ModelConfig) -> None:  # noqa: ARG001
    """Raises Refused unless `plan` is an object with fit and predict, of one answer a row with its probability."""
    if isinstance(plan, type) or not hasattr(plan, "fit") or not hasattr(plan, "predict"):
        raise Refused(f"expected `build` to return an unfitted estimator or pipeline, found {plan!r}")
    refuse_without_one_answer(plan)


def fit(plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Any:  # noqa: ARG001
    """`plan` is an unfitted pipeline."""
    return plan.fit(inputs, target)


def predict(model: Any, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    return ask_estimator(model, inputs)


def parameters(model: Any) -> dict[str, Any]:
    """`<step>.<name>` and its value, defaults included; the step of the estimator, the last, is called `estimator`."""
    last = model.steps[-1][0]
    named = {key: value for key, value in model.get_params().items() if _is_plain(value)}
    return {_dotted(key, last): value for key, value in named.items() if "__" in key}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _dotted(key: str, last: str) -> str:
    step, _, rest = key.partition("__")
    return ("estimator" if step == last else step) + "." + rest.replace("__", ".")


def learning_curves(model: Any, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:
    """Of boosted trees: the error on these rows after each tree. Other estimators have none."""
    estimator = model[-1]
    if isinstance(estimator, HistGradientBoostingRegressor):
        stages = estimator.staged_predict(model[:-1].transform(inputs))
        return {"mean_absolute_error": [float(metrics.mean_absolute_error(target, stage)) for stage in stages]}
    if isinstance(estimator, HistGradientBoostingClassifier):
        stages, labels = estimator.staged_predict_proba(model[:-1].transform(inputs)), estimator.classes_
        return {"log_loss": [float(metrics.log_loss(target, stage, labels=labels)) for stage in stages]}
    return {}


def log_model(model: Any, signature: ModelSignature, example: pandas.DataFrame, requirements: list[str]) -> str:
    logged = mlflow.sklearn.log_model(
        model,
        name=names.LOGGED_MODEL_NAME,
        serialization_format="skops",
        skops_trusted_types=sorted(SKLEARN_TRUSTED),
        signature=signature,
        input_example=example,
        pip_requirements=requirements,
    )
    return str(logged.model_id)
