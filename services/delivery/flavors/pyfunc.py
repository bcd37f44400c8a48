"""Any flavor of MLflow through its pyfunc, in the environment of the model's own lock."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.contract.prediction import Prediction
from services.contract.pyfunc_model import ask_pyfunc, load_pyfunc
from services.contract.release import Column, Form

# Most such models count in single precision, whose sums depend on how many rows are asked at once.
NATIVE: Form | None = Form(runtime="pyfunc", file="model/MLmodel", tolerance=1e-5)


def load(folder: Path) -> Any:
    return load_pyfunc(folder)


def predict(model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    return ask_pyfunc(model, rows, inputs)


def to_onnx(model: Any, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001
    raise Refused("a model of any flavor is served by its own environment: slower than a graph")
