"""A model of any flavor through MLflow's pyfunc, which may run whatever code the model holds.

So it is loaded in the environment of the model's own lock only: in the limited child process of the gates, and in the
process that serves its release.
"""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas
import yaml

from services.contract import names
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column
from services.contract.typed_rows import frame

_LABELLED = ["label", "probability"]
_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR", "GIT_PYTHON_REFRESH": "quiet"}


def load_pyfunc(folder: Path) -> Any:
    """Raises Refused outside of the environment of the model's lock, and, with the library's own reason, for a model
    that cannot be loaded there."""
    _refuse_elsewhere(folder)
    _refuse_another_python(folder)
    # MLflow reads them when it is imported.
    os.environ.update(_SETTINGS)
    import mlflow.pyfunc

    try:
        return mlflow.pyfunc.load_model(str(folder))
    # Whatever code the model holds fails in whatever way it happens to fail.
    except Exception as error:
        raise Refused(
            f"{folder}: expected a model that MLflow's pyfunc loads, cannot load it: {_said(error)}"
        ) from error


def _refuse_elsewhere(folder: Path) -> None:
    lock = folder / names.LOCK_FILE
    if not lock.is_file():
        raise Refused(f"{folder}: expected {lock.name} beside the model, found none: log it with `trackback train`")
    # On a cluster of Spark an environment is a folder of packages.
    known = (Path(place) / lock.name for place in (sys.prefix, *sys.path))
    if not any(ours.is_file() and ours.read_bytes() == lock.read_bytes() for ours in known):
        raise Refused(f"{folder}: expected the environment of {lock.name}, found {sys.prefix}: it is not loaded here")


def _refuse_another_python(folder: Path) -> None:
    """A pickle may hold compiled code, which another version of Python takes for something else."""
    try:
        described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        version = str(described["flavors"]["python_function"]["python_version"])
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        raise Refused(f"{folder}: expected an MLmodel that names its version of Python: {_said(error)}") from error
    ours = platform.python_version()
    if version.split(".")[:2] != ours.split(".")[:2]:
        raise Refused(
            f"{folder}: expected Python {version}, which the model was trained with, found {ours}: "
            "set TRACKBACK_PYTHON, or train with this one"
        )


def ask_pyfunc(model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    """One answer a row. Raises ValueError, with the library's own reason, when the model cannot take the rows."""
    try:
        found = model.predict(frame(rows, inputs))
    except Exception as error:
        raise ValueError(_said(error)) from error
    return predictions_of(found, len(rows))


def predictions_of(answers: Any, rows: int) -> list[Prediction]:
    """From a table, series, array or list: a number a row, or the columns `label` and `probability`.

    Raises Refused for anything else.
    """
    try:
        found = _predictions(pandas.DataFrame(answers))
    except (ValueError, TypeError) as error:
        raise Refused(_EXPECTED.format(type(answers).__name__, _said(error))) from error
    if len(found) != rows:
        raise Refused(_EXPECTED.format(type(answers).__name__, f"{len(found)} answers for {rows} rows"))
    return found


def _predictions(table: pandas.DataFrame) -> list[Prediction]:
    if set(_LABELLED) <= set(table.columns):
        pairs = zip(*(table[name].tolist() for name in _LABELLED), strict=True)
        return [Labelled(label=label, probability=probability) for label, probability in pairs]
    (column,) = table.columns
    return list(table[column].astype(float).tolist())


_EXPECTED = (
    "expected `predict` to give a number a row, or a table with the columns label and probability, found {} ({}): "
    "write predict so that it does"
)


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
