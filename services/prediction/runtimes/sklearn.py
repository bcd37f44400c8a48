"""scikit-learn through skops: the only module that knows the library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import skops.io

from services.contract.errors import Refused
from services.contract.trusted import SKLEARN_TRUSTED
from services.prediction.runtimes import Cell

MODEL_FILE = "model.skops"


class SklearnModel:
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[float]:
        found = numpy.asarray(self._estimator.predict(numpy.array(rows, dtype=object)), dtype=float)
        if found.shape != (len(rows),):
            raise Refused(f"expected one prediction for each of {len(rows)} rows, found an array of {found.shape}")
        return [float(value) for value in found]


def load(folder: Path) -> SklearnModel:
    """Raises Refused, before anything is built, for a type that is not on our own list."""
    path = folder / MODEL_FILE
    try:
        strangers = sorted(set(skops.io.get_untrusted_types(file=path)) - SKLEARN_TRUSTED)
        if not strangers:
            return SklearnModel(skops.io.load(path, trusted=sorted(SKLEARN_TRUSTED)))
    # A damaged file fails in whatever way the library happens to fail.
    except Exception as error:
        raise Refused(f"{path}: expected a skops model, cannot load it: {type(error).__name__}: {error}") from error
    raise Refused(f"{path}: expected trusted types only, found {', '.join(strangers)}: they are not loaded")
