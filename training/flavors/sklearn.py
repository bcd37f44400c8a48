"""scikit-learn: fitted on a DataFrame, logged as skops so that no service ever loads a pickle."""

from typing import Any

import mlflow
import pandas
from mlflow.models import infer_signature

from services.contract import names
from services.contract.trusted import SKLEARN_TRUSTED

LIBRARIES = ("mlflow", "scikit-learn", "skops", "numpy", "pandas")


def predict(estimator: Any, inputs: pandas.DataFrame) -> Any:
    """One value a row."""
    return estimator.predict(inputs)


def parameters(estimator: Any) -> dict[str, Any]:
    """The last step's parameters, defaults included."""
    return {f"estimator.{key}": value for key, value in estimator[-1].get_params(deep=False).items()}


def log_model(estimator: Any, example: pandas.DataFrame, versions: dict[str, str]) -> str:
    """The id of the logged model."""
    logged = mlflow.sklearn.log_model(
        estimator,
        name=names.LOGGED_MODEL_NAME,
        serialization_format="skops",
        skops_trusted_types=sorted(SKLEARN_TRUSTED),
        signature=infer_signature(example, predict(estimator, example)),
        input_example=example,
        # Given, because inferring them takes seconds and picks up what happens to be imported.
        pip_requirements=[f"{name}=={versions[name]}" for name in LIBRARIES],
    )
    return str(logged.model_id)
