"""XGBoost's trees, from its own JSON: compared and added up in single precision, as XGBoost does."""

import json
import math
from typing import Any

import numpy
from onnx import TensorProto

from services.delivery.onnx.arithmetic import above, both_sides, places_of_largest
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.tree_ensemble import GrownTree, tree_ensemble

# Of its answers, which XGBoost rounds to single precision more than once.
TOLERANCE = 1e-6
_NUMBERS = {
    "reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror",
}  # fmt: skip
_LOGARITHMS = {"count:poisson", "reg:gamma", "reg:tweedie"}


def write_number(graph: EstimatorGraph, booster: Any, parts: list[Part]) -> str:
    """Of shape (rows, 1). Raises NotWrittenError, with the reason, for what is not written."""
    learner = _learner(booster)
    kind = learner["objective"]["name"]
    if kind not in _NUMBERS | _LOGARITHMS:
        raise NotWrittenError(f"its objective is {kind!r}")
    margin = _margins(graph, learner, parts)
    return _single(graph, graph.add("Exp", margin)) if kind in _LOGARITHMS else margin


def write_classes(graph: EstimatorGraph, booster: Any, parts: list[Part]) -> Classes:
    """Raises NotWrittenError, with the reason, for what is not written."""
    learner = _learner(booster)
    kind = learner["objective"]["name"]
    if kind == "multi:softprob":
        probabilities = _softmax(graph, _margins(graph, learner, parts))
        return Classes(places_of_largest(graph, probabilities), probabilities)
    if kind != "binary:logistic":
        raise NotWrittenError(f"its objective is {kind!r}: binary:logistic and multi:softprob have probabilities")
    probability = _sigmoid(graph, _margins(graph, learner, parts))
    return Classes(above(graph, probability, 0.5), _single(graph, both_sides(graph, probability)))


def estimator_number(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """Of an XGBRegressor."""
    return write_number(graph, _booster(model), parts)


def estimator_classes(graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    """Of an XGBClassifier."""
    return write_classes(graph, _booster(model), parts)


def _booster(model: Any) -> Any:
    if not math.isnan(model.missing):
        raise NotWrittenError(f"it takes {model.missing} for a missing value: leave missing out")
    return model.get_booster()


def _learner(booster: Any) -> dict[str, Any]:
    if booster.attr("best_iteration") is not None:
        booster = booster[: int(booster.attr("best_iteration")) + 1]
    return dict(json.loads(booster.save_raw("json"))["learner"])


def _margins(graph: EstimatorGraph, learner: dict[str, Any], parts: list[Part]) -> str:
    """Of shape (rows, 1 or classes): what an iteration adds is added in the order of iterations."""
    if any(part.words for part in parts):
        raise NotWrittenError("it is given strings")
    if (kind := learner["gradient_booster"]["name"]) != "gbtree":
        raise NotWrittenError(f"its booster is {kind!r}: only 'gbtree' is written")
    model = learner["gradient_booster"]["model"]
    features = graph.single(graph.matrix(parts))
    graph.refuse_unless_finite(features, may_be_missing=True)
    trees, output = [_grown(tree) for tree in model["trees"]], f"_{len(graph.nodes)}_trees"
    graph.nodes.append(tree_ensemble(trees, features, output, list(range(len(trees)))))
    leaves, groups = graph.add("Cast", output, to=TensorProto.FLOAT), numpy.array(model["tree_info"])
    starts = _starts(learner)
    sums = [_added(graph, leaves, numpy.flatnonzero(groups == place), start) for place, start in enumerate(starts)]
    return graph.add("Cast", graph.add("Concat", *sums, axis=1), to=TensorProto.DOUBLE)


def _added(graph: EstimatorGraph, leaves: str, places: numpy.ndarray, start: numpy.float32) -> str:
    chosen = graph.add("Gather", leaves, graph.constant(places), axis=1)
    before = graph.add("Cast", graph.filled(float(start), leaves), to=TensorProto.FLOAT)
    added = graph.add("CumSum", graph.add("Concat", before, chosen, axis=1), graph.constant(1))
    return graph.add("Gather", added, graph.constant([-1]), axis=1)


def _starts(learner: dict[str, Any]) -> numpy.ndarray:
    """base_score as a margin: see ProbToMargin of XGBoost's objectives."""
    parameters, kind = learner["learner_model_param"], learner["objective"]["name"]
    scores = numpy.array(json.loads(parameters["base_score"]), dtype=numpy.float32).reshape(-1)
    if kind == "binary:logistic":
        scores = -numpy.log(numpy.float32(1) / scores - numpy.float32(1))
    if kind in _LOGARITHMS:
        scores = numpy.log(scores)
    return numpy.broadcast_to(scores, (max(int(parameters["num_class"]), int(parameters["num_target"])),))


def _grown(tree: dict[str, Any]) -> GrownTree:
    """XGBoost goes left where x < condition: of single precision, so where x <= the next number below."""
    if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotWrittenError("it splits by category, or its leaves are vectors")
    conditions = numpy.array(tree["split_conditions"], dtype=numpy.float32)
    below = numpy.nextafter(conditions, numpy.float32(-numpy.inf))
    return GrownTree(
        feature=numpy.array(tree["split_indices"]),
        threshold=below.astype(float),
        left=numpy.array(tree["left_children"]),
        right=numpy.array(tree["right_children"]),
        missing_left=numpy.array(tree["default_left"], dtype=bool),
        value=conditions.astype(float),
    )


def _softmax(graph: EstimatorGraph, margins: str) -> str:
    largest = graph.add("ReduceMax", margins, graph.constant([1]), keepdims=1)
    powers = _single(graph, graph.add("Exp", _single(graph, graph.add("Sub", margins, largest))))
    return _single(graph, graph.add("Div", powers, _single(graph, graph.sum(powers))))


def _sigmoid(graph: EstimatorGraph, margin: str) -> str:
    one = graph.constant(1.0)
    power = _single(graph, graph.add("Exp", graph.add("Neg", margin)))
    return _single(graph, graph.add("Div", one, _single(graph, graph.add("Add", power, one))))


def _single(graph: EstimatorGraph, values: str) -> str:
    return graph.single(values)
