"""The last stage of a Spark pipeline, as ONNX: classifiers and regressions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from onnx import TensorProto

from services.contract.errors import Refused
from services.delivery.onnx.spark_graph import StageGraph
from services.delivery.onnx.spark_stage import Stage, matrix, vector
from services.delivery.onnx.spark_trees import label_trees, number_trees, weighted_trees
from services.delivery.onnx.tree_ensemble import Node, tree_ensemble

_LARGEST = float(numpy.finfo(float).max)
# Of Spark's families, which let no mean come nearer to where they end.
_NEAREST = 1e-16


@dataclass(frozen=True)
class Chances:
    """Tensors: `probability` of shape (rows, labels), and the number of the `label`, int64 of shape (rows, 1)."""

    probability: str
    label: str


def _of_two(graph: StageGraph, score: str, limit: float, odds: str) -> Chances:
    """The label is 1 where `score` is above `limit`. As Spark has it, the probability of 1 is what that of 0 leaves: a
    small one has few digits there, and so the same ones here."""
    one = graph.constant(1.0)
    zero = graph.add("Div", one, graph.add("Add", one, graph.add("Exp", odds)))
    above = graph.add("Greater", score, graph.constant(limit))
    shares = graph.add("Concat", zero, graph.add("Sub", one, zero), axis=1)
    return Chances(shares, graph.add("Cast", above, to=TensorProto.INT64))


def _of_many(graph: StageGraph, raw: str, probability: str) -> Chances:
    """The label with the largest raw value, of equal ones the first."""
    return Chances(probability, graph.add("ArgMax", raw, axis=1))


def _softmax(graph: StageGraph, raw: str) -> Chances:
    return _of_many(graph, raw, graph.add("Softmax", raw, axis=1))


def _linear(graph: StageGraph, features: str, weights: numpy.ndarray, intercept: Any) -> str:
    """`weights` of shape (outputs, features)."""
    product = graph.add("MatMul", features, graph.constant(weights.T))
    return graph.add("Add", product, graph.constant(intercept))


def _logistic(stage: Stage, graph: StageGraph) -> Chances:
    saved = stage.fitted()
    weights, intercept = matrix(saved["coefficientMatrix"]), vector(saved["interceptVector"])
    margin = _linear(graph, graph.features(stage), weights, intercept if intercept.size else 0.0)
    if saved["isMultinomial"]:
        return _softmax(graph, margin)
    return _of_two(graph, margin, _log_odds(stage.parameters["threshold"]), margin)


def _log_odds(threshold: float) -> float:
    if threshold in (0, 1):
        return math.inf if threshold else -math.inf
    return math.log(threshold / (1 - threshold))


def _boosted(stage: Stage, graph: StageGraph) -> Chances:
    """Spark's loss is of twice the margin: https://spark.apache.org/docs/latest/mllib-ensembles.html#losses"""
    margin = _sum(graph, weighted_trees(stage), graph.features(stage))
    return _of_two(graph, margin, 0.0, graph.add("Add", margin, margin))


def _forest(stage: Stage, graph: StageGraph) -> Chances:
    """Each tree gives each label its share of the leaf."""
    return _votes(graph, label_trees(stage, lambda counts: sum(counts)), graph.features(stage))


def _one_tree(stage: Stage, graph: StageGraph) -> Chances:
    return _votes(graph, label_trees(stage, lambda _: 1.0), graph.features(stage))


def _votes(graph: StageGraph, of_labels: Sequence[Sequence[Node]], features: str) -> Chances:
    raw = graph.add("Concat", *(_sum(graph, trees, features) for trees in of_labels), axis=1)
    whole = graph.add("ReduceSum", raw, graph.constant([1]))
    return _of_many(graph, raw, graph.add("Div", raw, whole))


def _naive_bayes(stage: Stage, graph: StageGraph) -> Chances:
    """The logarithm of a label's share, and of how likely it makes the features."""
    kind, saved, features = stage.parameters["modelType"], stage.fitted(), graph.features(stage)
    prior, theta = vector(saved["pi"]), matrix(saved["theta"])
    if kind == "multinomial":
        graph.unanswerable.append(graph.any_of(graph.add("Less", features, graph.constant(0.0))))
        return _softmax(graph, _linear(graph, features, theta, prior))
    if kind != "gaussian":
        raise Refused(f"expected a NaiveBayes of modelType 'multinomial' or 'gaussian', found '{kind}'")
    spread = matrix(saved["sigma"])
    each = graph.add("Sub", graph.add("Unsqueeze", features, graph.constant([1])), graph.constant(theta))
    squares = graph.add("Div", graph.add("Mul", each, each), graph.constant(spread))
    distance = graph.add("ReduceSum", squares, graph.constant([2]), keepdims=0)
    doubled = graph.add("Add", distance, graph.constant(numpy.log(spread).sum(axis=1)))
    half = graph.add("Div", doubled, graph.constant(2.0))
    return _softmax(graph, graph.add("Sub", graph.constant(prior), half))


def _perceptron(stage: Stage, graph: StageGraph) -> Chances:
    """Layers of a sigmoid each, the last one without; of a layer's weights each output's come before its intercepts."""
    layers, weights = stage.parameters["layers"], vector(stage.fitted()["weights"])
    value, at = graph.features(stage), 0
    for place, (given, made) in enumerate(zip(layers, layers[1:], strict=False)):
        if place:
            value = graph.add("Sigmoid", value)
        end = at + given * made
        value = _linear(graph, value, weights[at:end].reshape(given, made).T, weights[end : end + made])
        at = end + made
    return _softmax(graph, value)


def _regression(stage: Stage, graph: StageGraph) -> str:
    saved = stage.fitted()
    return _linear(graph, graph.features(stage), vector(saved["coefficients"])[None, :], float(saved["intercept"]))


def _generalized(stage: Stage, graph: StageGraph) -> str:
    family = stage.parameters["family"].lower()
    link = stage.parameters.get("link", _USUAL_LINK.get(family, "of a power")).lower()
    if family not in _USUAL_LINK or link not in _UNLINKED or stage.parameters.get("offsetCol"):
        raise Refused(
            f"expected a GeneralizedLinearRegression of {', '.join(_USUAL_LINK)} with the link "
            f"{', '.join(_UNLINKED)} and without offset, found {family} with {link}"
        )
    mean = _UNLINKED[link](graph, _regression(stage, graph))
    lowest, highest = _RANGES.get(family, (_NEAREST, _LARGEST))
    return graph.add("Clip", mean, graph.constant(lowest), graph.constant(highest))


def _exp(graph: StageGraph, value: str) -> str:
    return graph.add("Exp", value)


def _one_over(graph: StageGraph, value: str) -> str:
    return graph.add("Div", graph.constant(1.0), value)


def _logit(graph: StageGraph, value: str) -> str:
    one = graph.constant(1.0)
    return graph.add("Div", one, graph.add("Add", one, graph.add("Exp", graph.add("Neg", value))))


def _log_log(graph: StageGraph, value: str) -> str:
    return graph.add("Sub", graph.constant(1.0), _exp(graph, graph.add("Neg", _exp(graph, value))))


_USUAL_LINK = {"gaussian": "identity", "binomial": "logit", "poisson": "log", "gamma": "inverse"}
_RANGES = {"gaussian": (-_LARGEST, _LARGEST), "binomial": (_NEAREST, 1 - _NEAREST)}
_UNLINKED: dict[str, Callable[[StageGraph, str], str]] = {
    "identity": lambda _, value: value,
    "log": _exp,
    "inverse": _one_over,
    "sqrt": lambda graph, value: graph.add("Mul", value, value),
    "logit": _logit,
    "cloglog": _log_log,
}


def _summed_trees(stage: Stage, graph: StageGraph) -> str:
    return _sum(graph, weighted_trees(stage), graph.features(stage))


def _mean_of_trees(stage: Stage, graph: StageGraph) -> str:
    trees = number_trees(stage)
    whole = _sum(graph, trees, graph.features(stage))
    return graph.add("Div", whole, graph.constant(float(len(trees))))


def _sum(graph: StageGraph, trees: Sequence[Node], features: str) -> str:
    output = f"_{len(graph.nodes)}_trees"
    graph.nodes.append(tree_ensemble(trees, features, output))
    return output


CLASSIFIERS: dict[str, Callable[[Stage, StageGraph], Chances]] = {
    "classification.DecisionTreeClassificationModel": _one_tree,
    "classification.GBTClassificationModel": _boosted,
    "classification.LogisticRegressionModel": _logistic,
    "classification.MultilayerPerceptronClassificationModel": _perceptron,
    "classification.NaiveBayesModel": _naive_bayes,
    "classification.RandomForestClassificationModel": _forest,
}
# Each gives a number, of shape (rows, 1).
REGRESSORS: dict[str, Callable[[Stage, StageGraph], str]] = {
    "regression.DecisionTreeRegressionModel": _mean_of_trees,
    "regression.GBTRegressionModel": _summed_trees,
    "regression.GeneralizedLinearRegressionModel": _generalized,
    "regression.LinearRegressionModel": _regression,
    "regression.RandomForestRegressionModel": _mean_of_trees,
}
