"""Writes a fitted scikit-learn estimator as a graph, step by step: by skl2onnx where that is right in double."""

from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, cast

from onnx import TensorProto
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from services.contract.errors import Refused
from services.contract.release import Column
from services.delivery.onnx import IN_DOUBLE, sklearn_estimators, sklearn_meta, sklearn_trees
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.outputs import write_labels, write_number
from services.delivery.onnx.skl2onnx_step import write_step
from services.delivery.onnx.sklearn_transformers import own_writer

_LIBRARIES = ("lightgbm", "xgboost")
_Written = TypeVar("_Written")


def write_estimator(model: Any, inputs: Sequence[Column]) -> bytes:
    """Raises Refused, naming the step at fault and the reason, for what cannot be written so that it answers alike."""
    graph = EstimatorGraph(inputs)
    return _named(model, lambda: _write(graph, model))


def tolerance_of(model: Any) -> float:
    """How far the graph's answers may be from the library's: less digits where XGBoost has a part in them."""
    parts = (model, *model.get_params().values())
    return max(float(getattr(_of_library(part), "TOLERANCE", IN_DOUBLE)) for part in parts)


def _write(graph: EstimatorGraph, model: Any) -> bytes:
    parts = graph.parts()
    if is_classifier(model):
        return write_labels(graph, list(model.classes_), _classify(graph, model, parts))
    return write_number(graph, _regress(graph, model, parts))


def _named(step: Any, write: Callable[[], _Written]) -> _Written:
    """Whatever goes wrong, as the step's own reason in one line."""
    try:
        return write()
    except Refused:
        raise
    except NotWrittenError as reason:
        raise Refused(f"{type(step).__name__} has no ONNX form here: {reason}") from reason
    # A step without this form fails in whatever way skl2onnx and onnx happen to fail.
    except Exception as error:
        raise Refused(f"{type(step).__name__} has no ONNX form here: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """In one line; these libraries go on for many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _transform(graph: EstimatorGraph, step: Any, parts: list[Part]) -> list[Part]:
    """What a fitted transformer gives, one part after another."""
    if step in ("passthrough", None):
        return parts
    if isinstance(step, Pipeline):
        for _, each in step.steps:
            parts = _transform(graph, each, parts)
        return parts
    if isinstance(step, ColumnTransformer | FeatureUnion):
        return _side_by_side(graph, step, parts)
    if write := own_writer(step):
        return _named(step, lambda: write(graph, step, parts))
    return _named(step, lambda: _transformed(graph, step, parts))


def _transformed(graph: EstimatorGraph, step: Any, parts: list[Part]) -> list[Part]:
    if hasattr(step, "predict"):
        raise NotWrittenError("it predicts, and stands in a place where it transforms")
    (found,) = write_step(graph, step, parts)
    return [Part(graph.add("Cast", found, to=TensorProto.DOUBLE), len(step.get_feature_names_out()))]


def _side_by_side(graph: EstimatorGraph, step: Any, parts: list[Part]) -> list[Part]:
    """Of a ColumnTransformer, each with its columns, or of a FeatureUnion, each with all."""
    written: list[Part] = []
    weights = step.transformer_weights or {}
    for name, transformer, columns in _branches(step, sum(part.width for part in parts)):
        found = _transform(graph, transformer, graph.choose(parts, columns))
        if name in weights:
            found = [_weighted(graph, part, float(weights[name])) for part in found]
        written += found
    return written


def _branches(step: Any, width: int) -> list[tuple[str, Any, list[int]]]:
    if isinstance(step, FeatureUnion):
        return [(name, each, list(range(width))) for name, each in step.transformer_list if each != "drop"]
    places = step._transformer_to_input_indices
    branches = [(name, each, list(places[name])) for name, each, _ in step.transformers_ if each != "drop"]
    return [branch for branch in branches if branch[2]]


def _weighted(graph: EstimatorGraph, part: Part, weight: float) -> Part:
    return Part(graph.add("Mul", part.tensor, graph.constant(weight)), part.width)


def _features(graph: EstimatorGraph, model: Pipeline, parts: list[Part]) -> list[Part]:
    for _, step in model.steps[:-1]:
        parts = _transform(graph, step, parts)
    return parts


def _regress(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """A number a row, of shape (rows, 1)."""
    if isinstance(model, Pipeline):
        return _regress(graph, model[-1], _features(graph, model, parts))
    if made_of_others := sklearn_meta.NUMBERS.get(type(model)):
        return _named(model, lambda: made_of_others(_WRITE, graph, model, parts))
    if of_library := _of_library(model):
        return _named(model, lambda: str(of_library.estimator_number(graph, model, parts)))
    write = {**sklearn_trees.NUMBERS, **sklearn_estimators.NUMBERS}.get(type(model), _regressed)
    return _named(model, lambda: write(graph, model, parts))


def _of_library(model: Any) -> ModuleType | None:
    """The module here for an estimator of another library, which is imported by then."""
    library = type(model).__module__.partition(".")[0]
    return import_module(f"services.delivery.onnx.{library}") if library in _LIBRARIES else None


def _regressed(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    (found,) = write_step(graph, model, parts)
    return graph.add("Cast", graph.add("Reshape", found, graph.constant([-1, 1])), to=TensorProto.DOUBLE)


def _classify(graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    if isinstance(model, Pipeline):
        return _classify(graph, model[-1], _features(graph, model, parts))
    if made_of_others := sklearn_meta.CLASSES.get(type(model)):
        return _named(model, lambda: made_of_others(_WRITE, graph, model, parts))
    if of_library := _of_library(model):
        return _named(model, lambda: cast(Classes, of_library.estimator_classes(graph, model, parts)))
    write = {**sklearn_trees.CLASSES, **sklearn_estimators.CLASSES}.get(type(model), _classified)
    return _named(model, lambda: write(graph, model, parts))


def _score(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """The decision function, of shape (rows, 1) for two classes and (rows, classes) for more."""
    if isinstance(model, Pipeline):
        return _score(graph, model[-1], _features(graph, model, parts))
    write = {**sklearn_trees.SCORES, **sklearn_estimators.SCORES}.get(type(model))
    if write is None:
        raise Refused(f"{type(model).__name__} has no ONNX form here: its decision function is not written")
    return _named(model, lambda: write(graph, model, parts))


_WRITE = sklearn_meta.Write(_regress, _classify, _score)


def _classified(graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    label, probabilities = write_step(graph, model, parts)
    flat = graph.add("Reshape", label, graph.constant([-1]))
    return Classes(_places(graph, flat, list(model.classes_)), graph.add("Cast", probabilities, to=TensorProto.DOUBLE))


def _places(graph: EstimatorGraph, labels: str, classes: list[Any]) -> str:
    if isinstance(classes[0], str):
        known: dict[str, Any] = {"keys_strings": classes}
    elif classes == list(range(len(classes))):
        return labels
    else:
        known = {"keys_int64s": list(map(int, classes))}
    return graph.add("LabelEncoder", labels, domain="ai.onnx.ml", **known, values_int64s=range(len(classes)))
