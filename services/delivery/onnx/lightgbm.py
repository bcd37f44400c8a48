"""LightGBM's trees, from its own dump: sums in double precision, then what its objective makes of them."""

from collections.abc import Callable
from typing import Any

import numpy

from services.delivery.onnx.arithmetic import above, both_sides, places_of_largest, sigmoid, softmax
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.tree_ensemble import GrownTree, tree_ensemble

_NUMBERS = {"regression", "regression_l1", "huber", "fair", "quantile", "mape"}
_LOGARITHMS = {"poisson", "gamma", "tweedie"}


def write_number(graph: EstimatorGraph, booster: Any, parts: list[Part]) -> str:
    """Of shape (rows, 1). Raises NotWrittenError, with the reason, for what is not written."""
    dumped = booster.dump_model()
    kind, *parameters = dumped["objective"].split()
    if kind not in _NUMBERS | _LOGARITHMS or "sqrt" in parameters:
        raise NotWrittenError(f"its objective is {dumped['objective']!r}")
    raw = _raw(graph, dumped, parts)
    return graph.add("Exp", raw) if kind in _LOGARITHMS else raw


def write_classes(graph: EstimatorGraph, booster: Any, parts: list[Part]) -> Classes:
    """Raises NotWrittenError, with the reason, for what is not written."""
    dumped = booster.dump_model()
    kind, *parameters = dumped["objective"].split()
    if kind == "multiclass":
        probabilities = softmax(graph, _raw(graph, dumped, parts))
        return Classes(places_of_largest(graph, probabilities), probabilities)
    if kind != "binary":
        raise NotWrittenError(f"its objective is {dumped['objective']!r}")
    slope = float(dict(each.split(":") for each in parameters)["sigmoid"])
    probability = sigmoid(graph, graph.add("Mul", _raw(graph, dumped, parts), graph.constant(slope)))
    return Classes(above(graph, probability, 0.5), both_sides(graph, probability))


def estimator_number(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    """Of an LGBMRegressor."""
    return write_number(graph, model.booster_, parts)


def estimator_classes(graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    """Of an LGBMClassifier."""
    return write_classes(graph, model.booster_, parts)


def _raw(graph: EstimatorGraph, dumped: dict[str, Any], parts: list[Part]) -> str:
    """Of shape (rows, 1 or classes)."""
    if any(part.words for part in parts):
        raise NotWrittenError("it is given strings")
    each, trees = dumped["num_tree_per_iteration"], dumped["tree_info"]
    output = f"_{len(graph.nodes)}_trees"
    grown = [_grown(tree["tree_structure"]) for tree in trees]
    targets = [place % each for place in range(len(trees))]
    graph.nodes.append(tree_ensemble(grown, graph.matrix(parts), output, targets))
    if not dumped["average_output"]:
        return output
    return graph.add("Div", output, graph.constant(len(trees) / each))


def _grown(root: dict[str, Any]) -> GrownTree:
    nodes = [root]
    left, right = [], []
    # The list grows while it is walked, because a tree may be deeper than Python's stack.
    for node in nodes:
        inner = "split_index" in node
        left.append(len(nodes) if inner else -1)
        right.append(len(nodes) + 1 if inner else -1)
        if inner:
            nodes += [node["left_child"], node["right_child"]]
    missing_left = _cells(nodes, _missing_left, bool)
    return GrownTree(
        feature=_cells(nodes, lambda node: node["split_feature"], int),
        threshold=_cells(nodes, lambda node: node["threshold"], float),
        left=numpy.array(left),
        right=numpy.array(right),
        missing_left=missing_left,
        value=numpy.array([_leaf(node) for node in nodes]),
    )


def _cells(nodes: list[dict[str, Any]], of_branch: Callable[[dict[str, Any]], Any], kind: type) -> numpy.ndarray:
    return numpy.array([of_branch(node) if "split_index" in node else 0 for node in nodes], dtype=kind)


def _missing_left(node: dict[str, Any]) -> bool:
    """LightGBM takes a missing value for 0 where training had none: see NumericalDecision in its tree.h."""
    if node["decision_type"] != "<=":
        raise NotWrittenError("it splits by category: encode the categories before")
    if node["missing_type"] == "None":
        return bool(node["threshold"] >= 0)
    if node["missing_type"] != "NaN":
        raise NotWrittenError("it takes 0 for a missing value: leave zero_as_missing out")
    return bool(node["default_left"])


def _leaf(node: dict[str, Any]) -> float:
    if "leaf_const" in node:
        raise NotWrittenError("its leaves are linear: leave linear_tree out")
    return float(node.get("leaf_value", 0.0))
