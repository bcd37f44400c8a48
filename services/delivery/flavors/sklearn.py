"""scikit-learn from skops, with our own list of trusted types; nothing in a model can extend it."""

from pathlib import Path
from typing import Any

import numpy
import skops.io

from services.contract.errors import Refused
from services.contract.trusted import SKLEARN_TRUSTED

MODEL_FILE = "model.skops"


def load(folder: Path) -> Any:
    """Raises Refused when the file is missing or holds a type that is not trusted."""
    file = folder / MODEL_FILE
    if not file.is_file():
        raise Refused(f"expected {MODEL_FILE}, found none: log the model with serialization_format='skops'")
    unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - SKLEARN_TRUSTED)
    if unknown:
        raise Refused(f"expected only trusted types in {MODEL_FILE}, found {', '.join(unknown)}")
    return skops.io.load(file, trusted=sorted(SKLEARN_TRUSTED))


def predict(model: Any, rows: list[list[Any]]) -> list[float]:
    return [float(value) for value in model.predict(numpy.array(rows, dtype=object))]
