"""Any other flavor of MLflow: the model's own code fits and logs it, in the environment of its own lock.

`build` gives a `PythonModel` of MLflow that has `fit(inputs, target)` as well, or an object with `fit`, `predict` and
`log(**arguments)`, which passes the arguments on to the `log_model` of its flavor and gives back what that gives.
"""

import inspect
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import pandas
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from services.contract.pyfunc_model import predictions_of
from training.dataset import read_csv as read

__all__ = ["check", "fit", "learning_curves", "log_model", "parameters", "predict", "read"]

LIBRARIES = ("mlflow-skinny", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False

_PIN = re.compile(r"^([\w.-]+(?:\[[\w,.-]+\])?==[^\\\n]+)", re.MULTILINE)


def check(plan: Any, config: ModelConfig) -> None:  # noqa: ARG001
    """Raises Refused for a plan that cannot be fitted, asked and logged, and outside of the model's own environment."""
    needed = ("fit", "predict") if isinstance(plan, PythonModel) else ("fit", "predict", "log")
    if missing := [name for name in needed if not callable(getattr(plan, name, None))]:
        raise Refused(
            f"expected `build` to give an MLflow PythonModel with `fit`, or an object with fit, predict and log, found "
            f"{type(plan).__name__} without {', '.join(missing)}: docs/bring-your-own-model.md shows one"
        )
    _lock()


def fit(plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Any:  # noqa: ARG001
    """What `fit` gives back, or the plan itself when that is nothing."""
    fitted = plan.fit(inputs, target)
    return plan if fitted is None else fitted


def predict(model: Any, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    """Raises Refused for anything but a number a row, or a table with a label and its probability."""
    has_context = isinstance(model, PythonModel) and "context" in inspect.signature(model.predict).parameters
    return predictions_of(model.predict(None, inputs) if has_context else model.predict(inputs), len(inputs))


def parameters(model: Any) -> dict[str, Any]:
    """The model's plain public attributes, as `model.<name>`."""
    plain = {name: value for name, value in getattr(model, "__dict__", {}).items() if not name.startswith("_")}
    return {f"model.{name}": value for name, value in plain.items() if isinstance(value, bool | int | float | str)}


def learning_curves(model: Any, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:  # noqa: ARG001
    """Always empty: what a model keeps of its training has no one name."""
    return {}


def log_model(
    model: Any,
    signature: ModelSignature,
    example: pandas.DataFrame,
    requirements: list[str],  # noqa: ARG001  the lock has all of them
) -> str:
    """Logs to the active run, with the lock beside the model. Returns the id of the logged model."""
    lock = _lock()
    arguments = {
        "name": names.LOGGED_MODEL_NAME,
        "signature": signature,
        "input_example": example,
        "pip_requirements": [pin.strip() for pin in _PIN.findall(lock.read_text(encoding="utf-8"))],
    }
    logged = model.log(**arguments) if hasattr(model, "log") else _log_python_model(model, arguments)
    mlflow.MlflowClient().log_model_artifact(logged.model_id, str(lock))
    return str(logged.model_id)


def _log_python_model(model: Any, arguments: dict[str, Any]) -> Any:
    """With the code of train.py inside, because no module of that name is around where it is loaded."""
    module = sys.modules.get(type(model).__module__)
    if module:
        cloudpickle.register_pickle_by_value(module)
    return mlflow.pyfunc.log_model(python_model=model, **arguments)


def _lock() -> Path:
    """That of the environment in which this runs. Raises Refused in any other."""
    lock = Path(sys.prefix) / names.LOCK_FILE
    if not lock.is_file():
        raise Refused(f"expected the model's own environment, found {sys.prefix}: train with scripts/trackback train")
    return lock
