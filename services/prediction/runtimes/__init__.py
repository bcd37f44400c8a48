"""The forms of model that can be served, one module each; only the one that a release names is imported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

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


@runtime_checkable
class PlainModel(Protocol):
    """A model that can answer without a record a row. All others are asked for `predict`."""

    def predict_plain(self, rows: Sequence[Sequence[Cell]]) -> Mapping[str, Sequence[Any]]:
        """As `predict`: `prediction`, or `label` and `probability`, each with one value a row."""


@runtime_checkable
class ColumnarModel(Protocol):
    """A model that takes columns of Arrow as they are. All others are asked row by row."""

    def predict_columns(self, columns: Sequence[Any]) -> Mapping[str, Any]:
        """The answers to the manifest's inputs in order, as `services.prediction.batch.cells.Converted` has them:
        `prediction`, or `label` and `probability`, each an array or list of one value a row; None or a number that is
        not finite where the model has no answer.

        Raises ValueError when the model cannot take a row.
        """


class Runtime(Protocol):
    def load(self, file: Path, inputs: Sequence[Column]) -> Model:
        """Raises Refused for a model that cannot be loaded or must not be trusted."""


def find_runtime(name: str) -> Runtime:
    return cast(Runtime, find_module("services.prediction.runtimes", name, "a release for"))
