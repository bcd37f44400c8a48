"""Estimators of scikit-learn that are made of others: means, votes, calibrations, a transformed target."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
from onnx import TensorProto
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.preprocessing import StandardScaler

from services.delivery.onnx.arithmetic import FUNCTIONS, above, both_sides, places_of_largest, sigmoid, softmax
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.interpolation import interpolated


@dataclass(frozen=True)
class Write:
    """How one of the others is written: its number, its classes, its decision function."""

    number: Callable[[EstimatorGraph, Any, list[Part]], str]
    classes: Callable[[EstimatorGraph, Any, list[Part]], Classes]
    score: Callable[[EstimatorGraph, Any, list[Part]], str]


def _best_number(write: Write, graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    return write.number(graph, model.best_estimator_, parts)


def _best_classes(write: Write, graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    return write.classes(graph, model.best_estimator_, parts)


def _transformed_target(write: Write, graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    found = write.number(graph, model.regressor_, parts)
    if model.func is not None or model.inverse_func is not None:
        name = getattr(model.inverse_func, "__name__", "")
        if name not in FUNCTIONS or getattr(numpy, name, None) is not model.inverse_func:
            raise NotWrittenError(
                f"inverse_func is {name or model.inverse_func} and not one of numpy's {', '.join(FUNCTIONS)}"
            )
        return FUNCTIONS[name](graph, found)
    if model.transformer is None:
        return found
    scaler = model.transformer_
    if not isinstance(scaler, StandardScaler):
        raise NotWrittenError(f"its transformer is {type(scaler).__name__}: only StandardScaler is turned back")
    for operator, values in (("Mul", scaler.scale_), ("Add", scaler.mean_)):
        if values is not None:
            found = graph.add(operator, found, graph.constant(numpy.asarray(values, dtype=float)[None]))
    return found


def _mean(graph: EstimatorGraph, found: list[str], weights: list[float] | None) -> str:
    """In the order of the estimators, as the library adds."""
    weights = weights or [1.0] * len(found)
    total = ""
    for one, weight in zip(found, weights, strict=True):
        weighted = one if weight == 1 else graph.add("Mul", one, graph.constant(float(weight)))
        total = graph.add("Add", total, weighted) if total else weighted
    return graph.add("Div", total, graph.constant(float(sum(weights))))


def _voted_number(write: Write, graph: EstimatorGraph, model: VotingRegressor, parts: list[Part]) -> str:
    return _mean(graph, [write.number(graph, each, parts) for each in model.estimators_], model._weights_not_none)


def _voted_classes(write: Write, graph: EstimatorGraph, model: VotingClassifier, parts: list[Part]) -> Classes:
    found = [write.classes(graph, each, parts).probabilities for each in model.estimators_]
    return _likeliest(graph, _mean(graph, found, model._weights_not_none))


def _likeliest(graph: EstimatorGraph, probabilities: str) -> Classes:
    return Classes(places_of_largest(graph, probabilities), probabilities)


def _bagged_number(write: Write, graph: EstimatorGraph, model: BaggingRegressor, parts: list[Part]) -> str:
    return _mean(graph, [write.number(graph, *one) for one in _bags(graph, model, parts)], None)


def _bagged_classes(write: Write, graph: EstimatorGraph, model: BaggingClassifier, parts: list[Part]) -> Classes:
    found = []
    for each, chosen in _bags(graph, model, parts):
        if not hasattr(each, "predict_proba"):
            raise NotWrittenError(f"{type(each).__name__} has no probabilities")
        probabilities = write.classes(graph, each, chosen).probabilities
        found.append(_among(graph, probabilities, list(map(int, each.classes_)), len(model.classes_)))
    return _likeliest(graph, _mean(graph, found, None))


def _bags(graph: EstimatorGraph, model: Any, parts: list[Part]) -> list[tuple[Any, list[Part]]]:
    """Each estimator with the columns that it is given."""
    graph.numbers(parts, model)
    chosen = model.estimators_features_
    return [(one, graph.choose(parts, list(some))) for one, some in zip(model.estimators_, chosen, strict=True)]


def _among(graph: EstimatorGraph, probabilities: str, classes: list[int], all_classes: int) -> str:
    """Probabilities of some classes as those of all, 0 for the others."""
    if len(classes) == all_classes:
        return probabilities
    places = [classes.index(each) if each in classes else len(classes) for each in range(all_classes)]
    with_zero = graph.add("Concat", probabilities, graph.filled(0.0, probabilities), axis=1)
    return graph.add("Gather", with_zero, graph.constant(places), axis=1)


def _adaptive(write: Write, graph: EstimatorGraph, model: AdaBoostClassifier, parts: list[Part]) -> Classes:
    """Each estimator adds its weight to the class that it names, and takes a share of it from the others."""
    graph.numbers(parts, model)
    classes = len(model.classes_)
    total = ""
    for each, weight in zip(model.estimators_, model.estimator_weights_.tolist(), strict=False):
        known = [list(model.classes_).index(label) for label in each.classes_]
        table = numpy.full((len(known), classes), -1 / (classes - 1) * weight)
        table[range(len(known)), known] = weight
        said = graph.add("Gather", graph.constant(table), write.classes(graph, each, parts).places)
        total = graph.add("Add", total, said) if total else said
    decision = graph.add("Div", total, graph.constant(float(model.estimator_weights_.sum())))
    if classes > 2:
        scaled = graph.add("Div", decision, graph.constant(classes - 1.0))
        return Classes(places_of_largest(graph, decision), softmax(graph, scaled))
    score = graph.add("MatMul", decision, graph.constant([[-1.0], [1.0]]))
    return Classes(above(graph, score, 0.0), both_sides(graph, sigmoid(graph, score)))


def _median(write: Write, graph: EstimatorGraph, model: AdaBoostRegressor, parts: list[Part]) -> str:
    """The weighted median of the estimators: the first, in order of size, at which half of the weight is reached."""
    graph.numbers(parts, model)
    weights = model.estimator_weights_[: len(model.estimators_)]
    each = graph.add("Concat", *[write.number(graph, one, parts) for one in model.estimators_], axis=1)
    ordered, order = graph.smallest(each, len(weights))
    reached = graph.add("CumSum", graph.add("Gather", graph.constant(weights), order), graph.constant(1))
    half = graph.add("Mul", graph.add("Gather", reached, graph.constant([-1]), axis=1), graph.constant(0.5))
    enough = graph.add("Cast", graph.add("GreaterOrEqual", reached, half), to=TensorProto.DOUBLE)
    place = graph.add("ArgMax", enough, axis=1, keepdims=1)
    return graph.add("GatherElements", ordered, place, axis=1)


def _calibrated(write: Write, graph: EstimatorGraph, model: CalibratedClassifierCV, parts: list[Part]) -> Classes:
    found = [_calibrated_one(write, graph, each, parts) for each in model.calibrated_classifiers_]
    return _likeliest(graph, _mean(graph, found, None))


def _calibrated_one(write: Write, graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    classes = list(model.classes)
    if model.method not in ("sigmoid", "isotonic") or list(model.estimator.classes_) != classes:
        raise NotWrittenError(f"method is {model.method!r}, or a fold lacks a class")
    given = _response(write, graph, model.estimator, parts, len(classes))
    if len(classes) == 2:
        return both_sides(graph, _calibrate(graph, model.calibrators[0], given))
    columns = graph.columns([Part(given, len(classes))])
    each = [_calibrate(graph, one, column.tensor) for one, column in zip(model.calibrators, columns, strict=True)]
    together = graph.add("Concat", *each, axis=1)
    total = graph.sum(together)
    nothing = graph.add("Equal", total, graph.constant(0.0))
    return graph.add("Where", nothing, graph.constant(1 / len(classes)), graph.add("Div", together, total))


def _response(write: Write, graph: EstimatorGraph, model: Any, parts: list[Part], classes: int) -> str:
    """The decision function, else the probabilities: of one column for two classes."""
    if hasattr(model, "decision_function"):
        return write.score(graph, model, parts)
    probabilities = write.classes(graph, model, parts).probabilities
    return graph.add("Gather", probabilities, graph.constant([1]), axis=1) if classes == 2 else probabilities


def _calibrate(graph: EstimatorGraph, calibrator: Any, scores: str) -> str:
    if isinstance(calibrator, IsotonicRegression):
        found = interpolated(graph, scores, calibrator.X_thresholds_, calibrator.y_thresholds_)
        return graph.add("Min", found, graph.constant(1.0))
    scaled = graph.add("Mul", scores, graph.constant(float(calibrator.a_)))
    moved = graph.add("Add", scaled, graph.constant(float(calibrator.b_)))
    return sigmoid(graph, graph.add("Neg", moved))


def _stacked(write: Write, graph: EstimatorGraph, model: Any, parts: list[Part]) -> list[Part]:
    """What the last estimator is given."""
    found = []
    estimators = [each for each in model.estimators_ if each != "drop"]
    for each, method in zip(estimators, model.stack_method_, strict=True):
        found += _stack_one(write, graph, each, method, parts)
    return [*found, *parts] if model.passthrough else found


def _stack_one(write: Write, graph: EstimatorGraph, each: Any, method: str, parts: list[Part]) -> list[Part]:
    if method == "predict":
        return [Part(write.number(graph, each, parts), 1)]
    classes = len(each.classes_)
    if method == "decision_function":
        return [Part(write.score(graph, each, parts), classes if classes > 2 else 1)]
    probabilities = Part(write.classes(graph, each, parts).probabilities, classes)
    return graph.choose([probabilities], [1]) if classes == 2 else [probabilities]


def _stacked_number(write: Write, graph: EstimatorGraph, model: StackingRegressor, parts: list[Part]) -> str:
    return write.number(graph, model.final_estimator_, _stacked(write, graph, model, parts))


def _stacked_classes(write: Write, graph: EstimatorGraph, model: StackingClassifier, parts: list[Part]) -> Classes:
    return write.classes(graph, model.final_estimator_, _stacked(write, graph, model, parts))


NUMBERS: dict[type, Callable[[Write, EstimatorGraph, Any, list[Part]], str]] = {
    AdaBoostRegressor: _median,
    BaggingRegressor: _bagged_number,
    GridSearchCV: _best_number,
    RandomizedSearchCV: _best_number,
    StackingRegressor: _stacked_number,
    TransformedTargetRegressor: _transformed_target,
    VotingRegressor: _voted_number,
}
CLASSES: dict[type, Callable[[Write, EstimatorGraph, Any, list[Part]], Classes]] = {
    AdaBoostClassifier: _adaptive,
    BaggingClassifier: _bagged_classes,
    CalibratedClassifierCV: _calibrated,
    GridSearchCV: _best_classes,
    RandomizedSearchCV: _best_classes,
    StackingClassifier: _stacked_classes,
    VotingClassifier: _voted_classes,
}
