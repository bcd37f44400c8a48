"""LightGBM: loaded from its own text, written as an ensemble of trees."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy

from services.contract.boosted import Boosted, class_names, read_answers, read_classes
from services.contract.errors import Refused
from services.contract.prediction import Prediction
from services.contract.release import Column, Form
from services.delivery.onnx import IN_DOUBLE

MODEL_FILE = "model.lgb"
# `prediction-sklearn` has no LightGBM: a model without a graph is for batch only.
NATIVE: Form | None = None


def load(folder: Path) -> Boosted:
    """Raises Refused for a file that is missing or damaged."""
    file = folder / MODEL_FILE
    if not file.is_file():
        raise Refused(f"expected {MODEL_FILE}, found none: log the model with mlflow.lightgbm")
    try:
        return Boosted(lightgbm.Booster(model_file=file), read_classes(folder))
    except lightgbm.basic.LightGBMError as error:
        raise Refused(f"{MODEL_FILE}: expected LightGBM's text, cannot load it: {error}") from error


def predict(model: Boosted, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:  # noqa: ARG001
    return read_answers(model.classes, _asked(model, rows))


def classes(model: Boosted) -> Sequence[str]:
    return class_names(model.classes)


def predict_proba(model: Boosted, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:  # noqa: ARG001
    return read_answers(model.classes, _asked(model, rows), all_classes=True)


def _asked(model: Boosted, rows: Sequence[Sequence[Any]]) -> numpy.ndarray:
    return numpy.asarray(model.booster.predict(numpy.array(rows, dtype=float)))


def to_onnx(model: Boosted, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001  the model says it all
    """Raises Refused, with the reason, for what is not written."""
    # Asking a model needs none of it.
    from services.delivery.onnx import lightgbm as trees
    from services.delivery.onnx.boosted import write_boosted

    return write_boosted(model, inputs, trees.write_number, trees.write_classes)


def tolerance(model: Boosted) -> float:  # noqa: ARG001  of all of them
    return IN_DOUBLE
