"""scikit-learn itself, for a model that has no other form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.contract.estimator import ask_estimator, load_estimator, table_of
from services.contract.prediction import Prediction
from services.contract.record import Cell
from services.contract.release import Column
from services.prediction.lanes import filled


class SklearnModel:
    def __init__(self, estimator: Any, inputs: Sequence[Column]) -> None:
        self._estimator, self._inputs = estimator, inputs
        self._to_table = table_of(estimator)

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return ask_estimator(self._estimator, self._to_table(filled(rows), self._inputs))[: len(rows)]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:  # noqa: ARG002  it knows them
        table = self._to_table(filled(rows), self._inputs)
        return ask_estimator(self._estimator, table, all_classes=True)[: len(rows)]


def load(file: Path, inputs: Sequence[Column]) -> SklearnModel:
    return SklearnModel(load_estimator(file), inputs)
