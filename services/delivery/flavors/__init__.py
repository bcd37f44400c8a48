"""One file a machine-learning library: how a candidate is loaded, asked and turned into ONNX, in a child process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from services.contract.modules import find_module
from services.contract.prediction import Prediction
from services.contract.release import Column, Form
from services.delivery.onnx import IN_DOUBLE as IN_DOUBLE


class Flavor(Protocol):
    """`NATIVE` is how the library itself serves its model online, None when it is not fit for it."""

    NATIVE: Form | None

    def load(self, folder: Path) -> Any:
        """From an MLflow model folder. Raises Refused for a file that is missing, damaged or not to be trusted."""

    def predict(self, model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
        """The library's own answers, one a row; a row has the inputs in order, NaN for an optional one left out.

        Raises ValueError when the model cannot take a row.
        """

    def to_onnx(self, model: Any, folder: Path, inputs: Sequence[Column]) -> bytes:
        """A graph with an input `input_<place>` of shape (rows,), string or double, for each column, and one output
        `prediction` (double), or `label` (int64 or string) and `probability` (double), each of shape (rows,), and
        `probabilities` (double) of shape (rows, classes).

        Raises Refused, with the reason, for a model that cannot be written so.
        """

    def tolerance(self, model: Any) -> float:
        """How far the graph's answers may be from the library's own, relative: `IN_DOUBLE` where both compute so."""


@runtime_checkable
class Classifies(Protocol):
    """What a flavor has beside it whose models may be classifiers."""

    def classes(self, model: Any) -> Sequence[str]:
        """The names of a classifier's classes, in the order of its probabilities; none of a regression."""

    def predict_proba(self, model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
        """As `predict`, of a classifier, with the probabilities of all classes in each answer."""


def find_flavor(library: str) -> Flavor:
    return cast(Flavor, find_module("services.delivery.flavors", library, "a model of"))
