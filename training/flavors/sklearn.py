"""scikit-learn: fitted on a DataFrame, logged as skops so that no service ever loads a pickle."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas
from mlflow.models import ModelSignature
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from services.contract import names
from services.contract.errors import Refused
from services.contract.estimator import ask_estimator, names_in, untrusted
from services.contract.model_config import Data, ModelConfig
from services.contract.moments import MOMENTS
from services.contract.own_code import is_own
from services.contract.prediction import Prediction
from services.contract.task import Task
from training.dataset import read_csv
from training.estimator_plan import refuse_unfit, stored
from training.libraries import boosters_in
from training.model_code import importable, source_of

LIBRARIES = ("mlflow", "scikit-learn", "skops", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False
_LOG = logging.getLogger(__name__)


def read(path: Path, data: Data, task: Task) -> pandas.DataFrame:
    return read_csv(path, data, task)


def check(plan: Any, config: ModelConfig) -> None:
    """Raises Refused for a plan that cannot be fitted here, stored without code of its own, or asked afterwards."""
    refuse_unfit(plan, config)
    dates = [column.name for column in config.inputs if column.type in MOMENTS]
    if dates and (boosters := boosters_in(plan)):
        _LOG.warning(
            "note: no ONNX is written for the dates of %s, and prediction-sklearn has no %s, so the model will be for "
            "batch only", ", ".join(dates), ", ".join(boosters),
        )  # fmt: skip


def fit(plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Any:  # noqa: ARG001
    """`plan` is an unfitted estimator. What it raises on these rows is told with the line of train.py by the job."""
    return plan.fit(inputs, target)


def predict(model: Any, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    """Raises Refused, with the library's own reason, when the model fails on these rows."""
    try:
        return ask_estimator(model, inputs)
    except ValueError as error:
        raise Refused(f"expected a model that answers every row of the hold-out, found {error}") from error


def parameters(model: Any) -> dict[str, Any]:
    """`<step>.<name>` and its value, defaults included; the step of the estimator, the last, is called `estimator`.

    Those that a search has found are `best.<name>`."""
    named = {key: value for key, value in model.get_params().items() if _is_plain(value)}
    if not isinstance(model, Pipeline):
        best = {key: value for key, value in getattr(model, "best_params_", {}).items() if _is_plain(value)}
        prefixed = {**{f"estimator.{key}": named[key] for key in named}, **{f"best.{key}": best[key] for key in best}}
        return {key.replace("__", "."): value for key, value in prefixed.items()}
    last = model.steps[-1][0]
    return {_dotted(key, last): value for key, value in named.items() if "__" in key}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | numpy.number)


def _dotted(key: str, last: str) -> str:
    step, _, rest = key.partition("__")
    return ("estimator" if step == last else step) + "." + rest.replace("__", ".")


def learning_curves(model: Any, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:
    """Of boosted trees: the error on these rows after each tree. Other estimators have none."""
    estimator = model[-1] if isinstance(model, Pipeline) else model
    if isinstance(estimator, HistGradientBoostingRegressor):
        stages = estimator.staged_predict(_features(model, inputs))
        return {"mean_absolute_error": [float(metrics.mean_absolute_error(target, stage)) for stage in stages]}
    if isinstance(estimator, HistGradientBoostingClassifier):
        stages, labels = estimator.staged_predict_proba(_features(model, inputs)), estimator.classes_
        return {"log_loss": [float(metrics.log_loss(target, stage, labels=labels)) for stage in stages]}
    return {}


def _features(model: Any, inputs: pandas.DataFrame) -> Any:
    """What the last step is given. Step by step, because a pipeline wants a last step that keeps something."""
    steps = [step for _, step in model.steps[:-1]] if isinstance(model, Pipeline) else []
    for step in steps:
        inputs = inputs if step in (None, "passthrough") else step.transform(inputs)
    return inputs


def log_model(model: Any, signature: ModelSignature, example: pandas.DataFrame, requirements: list[str]) -> str:
    """With the model's own train.py beside it where the model has types from there."""
    model = stored(model)
    trusted = names_in(model)
    own = sorted({name.partition(".")[0] for name in trusted if is_own(name)})
    if strangers := untrusted(name for name in trusted if not is_own(name)):
        raise Refused(f"expected types that a service loads, found {', '.join(strangers)} in the fitted model")
    with tempfile.TemporaryDirectory() as folder, importable(own):
        logged = mlflow.sklearn.log_model(
            model,
            name=names.LOGGED_MODEL_NAME,
            serialization_format="skops",
            skops_trusted_types=trusted,
            code_paths=_written(own, Path(folder)) or None,
            signature=signature,
            input_example=example,
            pip_requirements=requirements,
        )
    return str(logged.model_id)


def _written(modules: list[str], folder: Path) -> list[str]:
    files = [folder / f"{module}.py" for module in modules]
    for module, file in zip(modules, files, strict=True):
        file.write_bytes(source_of(module))
    return list(map(str, files))
