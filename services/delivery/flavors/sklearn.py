"""scikit-learn from skops, with our own list of trusted types."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.contract.estimator import ask_estimator, classes_of, load_estimator, table_of
from services.contract.moments import MOMENTS
from services.contract.prediction import Prediction
from services.contract.release import Column, Form

MODEL_FILE = "model.skops"
NATIVE: Form | None = Form(runtime="sklearn", file=f"model/{MODEL_FILE}", tolerance=1e-9)


def load(folder: Path) -> Any:
    return load_estimator(folder / MODEL_FILE)


def predict(model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    return ask_estimator(model, table_of(model)(rows, inputs))


def classes(model: Any) -> Sequence[str]:
    return classes_of(model)


def predict_proba(model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    return ask_estimator(model, table_of(model)(rows, inputs), all_classes=True)


def to_onnx(model: Any, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001  the model says it all
    """Raises Refused, with the reason, for a step that skl2onnx does not know, splits by category and moments."""
    if moments := [column.name for column in inputs if column.type in MOMENTS]:
        raise Refused(f"{moments[0]} is a date or datetime, which scikit-learn knows as such and a graph does not")
    # Takes longer to import than a hold-out takes to answer, which needs none of it.
    from services.delivery.onnx.sklearn import write_estimator

    return write_estimator(model, inputs)


def tolerance(model: Any) -> float:
    """Less where XGBoost answers, alone or among others."""
    from services.delivery.onnx.sklearn import tolerance_of

    return tolerance_of(model)
