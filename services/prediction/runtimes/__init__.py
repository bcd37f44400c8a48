"""The ML libraries we can serve, one module each; only the one that a release names is imported."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from services.contract.errors import Refused

Cell = float | int | str | bool | None
RUNTIMES = {"sklearn": "services.prediction.runtimes.sklearn"}


class Model(Protocol):
    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[float]:
        """One number a row; a row holds the manifest's inputs in order."""


class Runtime(Protocol):
    def load(self, folder: Path) -> Model:
        """Raises Refused for a model that cannot be loaded or must not be trusted."""


def find_runtime(library: str) -> Runtime:
    if library not in RUNTIMES:
        raise Refused(f"expected a model of {', '.join(RUNTIMES)}, found one of '{library}'")
    return cast(Runtime, import_module(RUNTIMES[library]))
