"""scikit-learn's models wherever they are loaded and asked: from skops, with our own list of types, no pickle."""

from pathlib import Path
from typing import Any

import numpy
import skops.io
from sklearn.base import is_classifier

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction

# The types that a skops file of ours may hold beside skops' own defaults; a model cannot extend this list. They are
# containers of arrays without code of their own, and one function that only copies: it makes a pipeline that was fitted
# on a DataFrame take a plain array as well.
SKLEARN_TRUSTED = frozenset(
    {
        "numpy.asarray",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)
_ZIP = b"PK\x03\x04"


def load_estimator(file: Path) -> Any:
    """Raises Refused, before anything is built, for a file that is missing, no skops file, damaged or not trusted."""
    if not file.is_file():
        raise Refused(f"expected {file.name}, found none: log the model with serialization_format='skops'")
    with file.open("rb") as opened:
        if opened.read(len(_ZIP)) != _ZIP:
            raise Refused(f"{file}: expected a skops file, found another, such as a pickle: it is never loaded")
    try:
        strangers = sorted(set(skops.io.get_untrusted_types(file=file)) - SKLEARN_TRUSTED)
        if not strangers:
            return skops.io.load(file, trusted=sorted(SKLEARN_TRUSTED))
    # A damaged file fails in whatever way the library happens to fail.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise Refused(f"{file}: expected a whole skops file, cannot load it: {reason}") from error
    raise Refused(f"{file}: expected trusted types only, found {', '.join(strangers)}: they are not loaded")


def ask_estimator(estimator: Any, table: Any, all_classes: bool = False) -> list[Prediction]:
    """One answer for each row of an array or DataFrame. Raises Refused for a model that answers otherwise."""
    found = numpy.asarray(estimator.predict(table))
    if found.shape != (len(table),):
        raise Refused(f"expected one prediction for each of {len(table)} rows, found an array of {found.shape}")
    if not is_classifier(estimator):
        return list(found.astype(float).tolist())
    if not hasattr(estimator, "predict_proba"):
        raise Refused("expected a classifier with predict_proba, found one without: wrap it in CalibratedClassifierCV")
    classes, names = list(estimator.classes_), classes_of(estimator)
    probabilities = numpy.asarray(estimator.predict_proba(table)).tolist()
    places = [1 if classes == [0, 1] else classes.index(label) for label in found.tolist()]
    return [
        Labelled(
            label=label,
            probability=float(row[place]),
            probabilities=dict(zip(names, row, strict=True)) if all_classes else None,
        )
        for label, row, place in zip(found.tolist(), probabilities, places, strict=True)
    ]


def classes_of(estimator: Any) -> list[str]:
    """The names of a classifier's classes in the order of its probabilities; none of a regressor."""
    return [str(label) for label in estimator.classes_] if is_classifier(estimator) else []
