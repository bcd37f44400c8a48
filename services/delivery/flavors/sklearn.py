"""scikit-learn from skops, with our own list of trusted types."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from services.contract.estimator import ask_estimator, load_estimator
from services.contract.prediction import Prediction
from services.contract.release import Column, Form

MODEL_FILE = "model.skops"
NATIVE: Form | None = Form(runtime="sklearn", file=f"model/{MODEL_FILE}", tolerance=1e-9)


def load(folder: Path) -> Any:
    return load_estimator(folder / MODEL_FILE)


def predict(
    model: Any,
    rows: Sequence[Sequence[Any]],
    inputs: Sequence[Column],  # noqa: ARG001  an estimator knows its columns
) -> list[Prediction]:
    return ask_estimator(model, numpy.array(rows, dtype=object))


def to_onnx(model: Any, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001  the model says it all
    """Raises Refused, with the reason, for a step that skl2onnx does not know and for splits by category."""
    # Takes longer to import than a hold-out takes to answer, which needs none of it.
    from services.delivery.onnx.sklearn import write_estimator

    return write_estimator(model, inputs)
