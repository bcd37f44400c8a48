"""scikit-learn's models wherever they are loaded and asked: from skops, by a rule of ours for types, no pickle."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import skops.io
from sklearn.base import is_classifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.metrics._scorer import _BaseScorer as _SCORER
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skops.io import _utils as skops_writing

from services.contract.errors import Refused, reason
from services.contract.own_code import import_types, own_types
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column
from services.contract.skops_names import BOOSTERS, SCORERS, is_trusted
from services.contract.typed_rows import frame, matrix

ToTable = Callable[[Sequence[Sequence[Any]], Sequence[Column]], Any]
# TfidfVectorizer is a CountVectorizer.
_VECTORIZERS = (CountVectorizer, HashingVectorizer)
_ZIP = b"PK\x03\x04"


def load_estimator(file: Path) -> Any:
    """Raises Refused, before anything is built, for a file that is missing, no skops file, damaged or not trusted."""
    if not file.is_file():
        raise Refused(f"expected {file.name}, found none: log the model with serialization_format='skops'")
    with file.open("rb") as opened:
        if opened.read(len(_ZIP)) != _ZIP:
            raise Refused(f"{file}: expected a skops file, found another, such as a pickle: it is never loaded")
    try:
        return _loaded(file)
    except Refused as refused:
        raise Refused(f"{file}: {refused}") from refused
    except ModuleNotFoundError as error:
        needed = str(error.name).partition(".")[0]
        raise Refused(f"{file}: expected a model of what is installed here, found one that needs {needed}") from error
    # A damaged file fails in whatever way the library happens to fail.
    except Exception as error:
        said = f"{type(error).__name__}: {reason(error)}"
        raise Refused(f"{file}: expected a whole skops file, cannot load it: {said}") from error


def _loaded(file: Path) -> Any:
    found, own = frozenset(skops.io.get_untrusted_types(file=file)), own_types(file.parent)
    if strangers := untrusted(found - own):
        raise Refused(f"expected trusted types only, found {', '.join(strangers)}: they are not loaded")
    import_types(file.parent, found & own)
    estimator = skops.io.load(file, trusted=sorted(found))
    refuse_misled(estimator, functions=bool(found & (SCORERS | BOOSTERS)))
    return estimator


def untrusted(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not is_trusted(name))


def names_in(estimator: Any) -> list[str]:
    """The types and functions that a skops file of this estimator names, beside those that skops trusts by itself.

    Raises Refused, with the library's own reason, for what skops cannot write.
    """
    try:
        return list(skops.io.get_untrusted_types(data=skops.io.dumps(estimator)))
    # Whatever an object is asked for its state may fail.
    except Exception as error:
        raise Refused(f"expected what skops can write, found another: {reason(error)}") from error


def write_as_list(kind: type) -> None:
    """From now on skops writes what is of this kind, which it does not know, as what its `tolist` gives."""
    skops_writing._get_state.register(kind, lambda found, context: skops_writing.get_state(found.tolist(), context))


def refuse_misled(estimator: Any, functions: bool) -> None:
    """Raises Refused for what would do with a row what its type allows and nobody means: text that is read from a file
    whose path the row gives, and, if `functions` are looked at, what stands in the place of one and is none: a scorer,
    which calls the method that it is told to, and a type, which may be made from a path."""
    for part in _walk(estimator):
        if isinstance(part, _VECTORIZERS) and part.input != "content":
            name = type(part).__name__
            raise Refused(f"expected {name}(input='content'), found {part.input!r}: a row would name a file to be read")
        if not functions or not isinstance(part, FunctionTransformer | partial):
            continue
        if any(map(_is_misplaced, _called(part))):
            raise Refused("expected a function in a FunctionTransformer, found a scorer or a type: it is not loaded")


def _walk(estimator: Any) -> Iterator[Any]:
    """Whatever the estimator holds, each object once."""
    waiting, seen = [estimator], set()
    while waiting:
        part = waiting.pop()
        if id(part) not in seen and not isinstance(part, str | int | float | None):
            seen.add(id(part))
            yield part
            waiting += _parts(part)


def _is_misplaced(called: Any) -> bool:
    return isinstance(called, _SCORER | type)


def _called(part: FunctionTransformer | partial[Any]) -> tuple[Any, ...]:
    return (part.func,) if isinstance(part, partial) else (part.func, part.inverse_func)


def _parts(whole: Any) -> list[Any]:
    if isinstance(whole, partial):
        return [whole.func, *whole.args, *whole.keywords.values()]
    if isinstance(whole, dict):
        return list(whole.values())
    if isinstance(whole, list | tuple | set) or (isinstance(whole, numpy.ndarray) and whole.dtype == object):
        return list(whole)
    # A library's own module or class, which something holds, is no part that came from the file.
    owned = hasattr(whole, "__dict__") and not isinstance(whole, ModuleType | type)
    return list(vars(whole).values()) if owned else []


def table_of(estimator: Any) -> ToTable:
    """What makes a table that the estimator takes: a DataFrame where columns had names when it was fitted, as they have
    in training; an array where its first step makes one, because that is quicker."""
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else estimator
    makes_array = isinstance(first, FunctionTransformer) and first.func is numpy.asarray
    return frame if hasattr(estimator, "feature_names_in_") and not makes_array else matrix


def ask_estimator(estimator: Any, table: Any, all_classes: bool = False) -> list[Prediction]:
    """One answer for each row of an array or DataFrame; with `all_classes`, a classifier's has all probabilities.

    Raises ValueError, with the library's own reason, when it fails on these rows, and Refused for a model that answers
    otherwise.
    """
    try:
        return _answers(estimator, table, all_classes)
    except (Refused, MemoryError):
        raise
    # Each step fails in a way of its own: a KeyError is as much about these rows as a ValueError.
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {reason(error)}") from error


def _answers(estimator: Any, table: Any, all_classes: bool) -> list[Prediction]:
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
