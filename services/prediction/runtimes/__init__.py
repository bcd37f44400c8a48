"""The forms of model that can be served, one module each; only the one that a release names is imported."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from services.contract.errors import Refused
from services.contract.prediction import Prediction
from services.contract.release import Column

Cell = float | int | str | bool | None


class Model(Protocol):
    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        """One answer a row; a row holds the manifest's inputs in order, NaN for an optional one left out.

        Raises ValueError when the model cannot take a row.
        """


class Runtime(Protocol):
    def load(self, file: Path, inputs: Sequence[Column]) -> Model:
        """Raises Refused for a model that cannot be loaded or must not be trusted."""


def find_runtime(name: str) -> Runtime:
    known = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    if name not in known:
        raise Refused(f"expected a release for {', '.join(known)}, found one for '{name}'")
    return cast(Runtime, import_module(f"services.prediction.runtimes.{name}"))
