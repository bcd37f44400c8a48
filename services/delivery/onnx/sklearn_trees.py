"""scikit-learn's trees in double precision: rounded, as skl2onnx writes them, a threshold falls beside its value."""

from collections.abc import Callable
from typing import Any

import numpy
from onnx import TensorProto
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from services.delivery.onnx.arithmetic import above, both_sides, places_of_largest, sigmoid, softmax
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.tree_ensemble import GrownTree, tree_ensemble

_LOSSES_OF_LOGARITHMS = ("gamma", "poisson")


def _trees_of(model: Any) -> list[Any]:
    if model.n_outputs_ != 1:
        raise NotWrittenError(f"it has {model.n_outputs_} outputs")
    return [each.tree_ for each in getattr(model, "estimators_", [model])]


def _single(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """scikit-learn's trees compare numbers of single precision with thresholds of double."""
    given = graph.matrix(parts)
    if any(part.words for part in parts):
        raise NotWrittenError("it is given strings")
    rounded = graph.single(given)
    return graph.numbers([Part(rounded, model.n_features_in_)], model)


def _forest_number(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    trees = [_grown(tree, tree.value[:, 0, 0]) for tree in _trees_of(model)]
    total = _ensemble(graph, trees, _single(graph, model, parts), [0] * len(trees))
    return graph.add("Div", total, graph.constant(float(len(trees))))


def _forest_classes(graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    """Each tree gives the number of its leaf; the shares of classes there are added in the order of trees, as
    scikit-learn does, because a sum in another order may have another largest class."""
    trees, shares, start = [], [], 0
    for tree in _trees_of(model):
        leaves = tree.children_left < 0
        numbers = numpy.cumsum(leaves) - 1.0 + start
        trees.append(_grown(tree, numbers))
        shares.append(tree.value[leaves, 0, :])
        start += int(leaves.sum())
    leaves = _ensemble(graph, trees, _single(graph, model, parts), list(range(len(trees))))
    found = graph.add(
        "Gather", graph.constant(numpy.concatenate(shares)), graph.add("Cast", leaves, to=TensorProto.INT64)
    )
    sums = graph.add("CumSum", found, graph.constant(numpy.array(1)))
    total = graph.add("Gather", sums, graph.constant(len(trees) - 1), axis=1)
    probabilities = graph.add("Div", total, graph.constant(float(len(trees))))
    return Classes(places_of_largest(graph, probabilities), probabilities)


def _boosted(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """The raw predictions of gradient boosting, of shape (rows, 1 or classes)."""
    if not isinstance(model.init_, str | DummyClassifier | DummyRegressor):
        raise NotWrittenError(f"init is {type(model.init_).__name__}: only constants are written")
    grown, targets = [], []
    for stage in model.estimators_:
        for target, each in enumerate(stage):
            grown.append(_grown(each.tree_, model.learning_rate * each.tree_.value[:, 0, 0]))
            targets.append(target)
    single = _single(graph, model, parts)
    start = model._raw_predict_init(numpy.zeros((1, model.n_features_in_), dtype=numpy.float32))
    return graph.add("Add", _ensemble(graph, grown, single, targets), graph.constant(start.astype(float)))


def _boosted_classes(graph: EstimatorGraph, model: GradientBoostingClassifier, parts: list[Part]) -> Classes:
    raw = _boosted(graph, model, parts)
    if len(model.classes_) > 2:
        return Classes(places_of_largest(graph, raw), softmax(graph, raw))
    score = graph.add("Add", raw, raw) if model.loss == "exponential" else raw
    return Classes(above(graph, raw, 0.0, equal=True), both_sides(graph, sigmoid(graph, score)))


def _histogram(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """The raw predictions of histogram gradient boosting, which takes any double, NaN and infinite ones as well."""
    if model.is_categorical_ is not None:
        raise NotWrittenError("its trees split by category: encode the categories before")
    if any(part.words for part in parts):
        raise NotWrittenError("it is given strings")
    grown, targets = [], []
    for predictors in model._predictors:
        for target, predictor in enumerate(predictors):
            grown.append(_of_histogram(predictor.nodes))
            targets.append(target)
    total = _ensemble(graph, grown, graph.matrix(parts), targets)
    return graph.add("Add", total, graph.constant(model._baseline_prediction.astype(float).reshape(1, -1)))


def _histogram_number(graph: EstimatorGraph, model: HistGradientBoostingRegressor, parts: list[Part]) -> str:
    raw = _histogram(graph, model, parts)
    return graph.add("Exp", raw) if model.loss in _LOSSES_OF_LOGARITHMS else raw


def _histogram_classes(graph: EstimatorGraph, model: HistGradientBoostingClassifier, parts: list[Part]) -> Classes:
    raw = _histogram(graph, model, parts)
    if len(model.classes_) > 2:
        return Classes(places_of_largest(graph, raw), softmax(graph, raw))
    return Classes(above(graph, raw, 0.0), both_sides(graph, sigmoid(graph, raw)))


def _ensemble(graph: EstimatorGraph, trees: list[GrownTree], features: str, targets: list[int]) -> str:
    output = f"_{len(graph.nodes)}_trees"
    graph.nodes.append(tree_ensemble(trees, features, output, targets))
    return output


def _grown(tree: Any, value: numpy.ndarray) -> GrownTree:
    return GrownTree(
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left,
        value=value,
    )


def _of_histogram(nodes: Any) -> GrownTree:
    return GrownTree(
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        left=numpy.where(nodes["is_leaf"], -1, nodes["left"].astype(int)),
        right=nodes["right"].astype(int),
        missing_left=nodes["missing_go_to_left"],
        value=nodes["value"],
    )


NUMBERS: dict[type, Callable[[EstimatorGraph, Any, list[Part]], str]] = {
    DecisionTreeRegressor: _forest_number,
    ExtraTreeRegressor: _forest_number,
    ExtraTreesRegressor: _forest_number,
    GradientBoostingRegressor: _boosted,
    HistGradientBoostingRegressor: _histogram_number,
    RandomForestRegressor: _forest_number,
}
CLASSES: dict[type, Callable[[EstimatorGraph, Any, list[Part]], Classes]] = {
    DecisionTreeClassifier: _forest_classes,
    ExtraTreeClassifier: _forest_classes,
    ExtraTreesClassifier: _forest_classes,
    GradientBoostingClassifier: _boosted_classes,
    HistGradientBoostingClassifier: _histogram_classes,
    RandomForestClassifier: _forest_classes,
}
# The decision functions of those that have one.
SCORES: dict[type, Callable[[EstimatorGraph, Any, list[Part]], str]] = {
    GradientBoostingClassifier: _boosted,
    HistGradientBoostingClassifier: _histogram,
}
