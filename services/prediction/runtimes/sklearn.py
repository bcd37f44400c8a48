"""scikit-learn itself, for a model that has no other form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from services.contract.estimator import ask_estimator, load_estimator
from services.contract.prediction import Prediction
from services.contract.release import Column
from services.prediction.runtimes import Cell


class SklearnModel:
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return ask_estimator(self._estimator, numpy.array(rows, dtype=object))


def load(file: Path, inputs: Sequence[Column]) -> SklearnModel:  # noqa: ARG001 - an estimator knows its columns
    return SklearnModel(load_estimator(file))
