"""MLflow's pyfunc, for a model of any flavor that brings its own environment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.contract.prediction import Prediction
from services.contract.pyfunc_model import ask_pyfunc, load_pyfunc
from services.contract.record import Cell
from services.contract.release import Column


class PyfuncModel:
    def __init__(self, model: Any, inputs: Sequence[Column]) -> None:
        self._model = model
        self._inputs = inputs

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return ask_pyfunc(self._model, rows, self._inputs)

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:  # noqa: ARG002  of the protocol
        return self.predict(rows)


def load(file: Path, inputs: Sequence[Column]) -> PyfuncModel:
    """`file` is the MLmodel of the folder that MLflow stored."""
    return PyfuncModel(load_pyfunc(file.parent), inputs)
