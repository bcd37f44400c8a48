"""The forms of model that can be served, one module each; only the one that a release names is imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from services.contract.modules import find_module
from services.contract.prediction import Prediction
from services.contract.record import Cell
from services.contract.release import Column


class Model(Protocol):
    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        """One answer a row; a row holds the manifest's inputs in order, NaN for an optional one left out, and
        the ISO text of a moment.

        Raises ValueError when the model cannot take a row.
        """

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        """As `predict`, of a classifier, with the probabilities of the manifest's classes in their order."""


class Runtime(Protocol):
    def load(self, file: Path, inputs: Sequence[Column]) -> Model:
        """Raises Refused for a model that cannot be loaded or must not be trusted."""


def find_runtime(name: str) -> Runtime:
    return cast(Runtime, find_module("services.prediction.runtimes", name, "a release for"))
