"""Estimators of scikit-learn that compare with vectors of the training, in double precision, and linear scores."""

from collections.abc import Callable
from typing import Any

import numpy
from onnx import TensorProto
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    PassiveAggressiveClassifier,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR

from services.delivery.onnx.arithmetic import places_of_largest, softmax
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part


def _linear(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    weights, intercept = (numpy.atleast_2d(model.coef_).T, numpy.atleast_1d(model.intercept_))
    product = graph.add("MatMul", graph.numbers(parts, model), graph.constant(weights.astype(float)))
    return graph.add("Add", product, graph.constant(intercept.astype(float)[None]))


def _support_vectors(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    if len(getattr(model, "classes_", [])) > 2:
        raise NotWrittenError("support vectors of more than two classes are not written")
    kernel = _kernel(graph, model, graph.numbers(parts, model))
    weights = graph.constant(_dense(model.dual_coef_).T)
    return graph.add("Add", graph.add("MatMul", kernel, weights), graph.constant(model.intercept_[None]))


def _dense(matrix: Any) -> numpy.ndarray:
    return numpy.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=float)


def _kernel(graph: EstimatorGraph, model: Any, x: str) -> str:
    """Of shape (rows, support vectors)."""
    vectors, gamma = _dense(model.support_vectors_), graph.constant(float(model._gamma))
    if model.kernel == "rbf":
        distance = squared_distances(graph, x, vectors)
        return graph.add("Exp", graph.add("Neg", graph.add("Mul", distance, gamma)))
    product = graph.add("MatMul", x, graph.constant(vectors.T))
    if model.kernel == "linear":
        return product
    moved = graph.add("Add", graph.add("Mul", product, gamma), graph.constant(float(model.coef0)))
    if model.kernel == "poly":
        return graph.add("Pow", moved, graph.constant(float(model.degree)))
    if model.kernel == "sigmoid":
        return graph.add("Tanh", moved)
    raise NotWrittenError(f"its kernel is {model.kernel!r}")


def squared_distances(graph: EstimatorGraph, x: str, vectors: numpy.ndarray) -> str:
    """Of shape (rows, vectors), column by column, because a table of all differences would be large."""
    total = ""
    for place in range(vectors.shape[1]):
        column = graph.add("Gather", x, graph.constant([place]), axis=1)
        apart = graph.add("Sub", column, graph.constant(vectors[:, place][None]))
        squared = graph.add("Mul", apart, apart)
        total = graph.add("Add", total, squared) if total else squared
    return total


def _neighbours(graph: EstimatorGraph, model: Any, parts: list[Part]) -> tuple[str, str]:
    """The places of each row's nearest in the training, and how much each of them counts: of shape (rows, k)."""
    if model.effective_metric_ != "euclidean" or model.weights not in ("uniform", "distance"):
        raise NotWrittenError(f"metric is {model.effective_metric_!r}, weights are {model.weights!r}")
    squared = squared_distances(graph, graph.numbers(parts, model), _dense(model._fit_X))
    nearest, places = graph.smallest(squared, model.n_neighbors)
    equal = graph.add("Equal", nearest, graph.constant(0.0))
    same = graph.add("Cast", equal, to=TensorProto.DOUBLE)
    if model.weights == "uniform":
        return places, graph.add("Add", graph.add("Sub", same, same), graph.constant(1.0))
    # A row that stands in the training is answered by those that are the same alone.
    any_same = graph.add("Greater", graph.sum(same), graph.constant(0.0))
    return places, graph.add("Where", any_same, same, graph.add("Reciprocal", graph.add("Sqrt", nearest)))


def _mean_of_neighbours(graph: EstimatorGraph, model: Any, parts: list[Part]) -> str:
    places, weights = _neighbours(graph, model, parts)
    values = graph.add("Gather", graph.constant(numpy.asarray(model._y, dtype=float).reshape(-1)), places)
    return graph.add("Div", graph.sum(graph.add("Mul", values, weights)), graph.sum(weights))


def _votes_of_neighbours(graph: EstimatorGraph, model: Any, parts: list[Part]) -> Classes:
    places, weights = _neighbours(graph, model, parts)
    unit = numpy.eye(len(model.classes_))[numpy.asarray(model._y).reshape(-1)]
    votes = graph.add("Gather", graph.constant(unit), places)
    weighted = graph.add("Mul", votes, graph.add("Unsqueeze", weights, graph.constant([2])))
    total = graph.add("ReduceSum", weighted, graph.constant([1]), keepdims=0)
    probabilities = graph.add("Div", total, graph.sum(total))
    return Classes(places_of_largest(graph, total), probabilities)


def _same_number(graph: EstimatorGraph, model: DummyRegressor, parts: list[Part]) -> str:
    if model.constant_.size != 1:
        raise NotWrittenError(f"it has {model.constant_.size} outputs")
    return graph.filled(float(model.constant_.ravel()[0]), parts[0].tensor)


def _same_classes(graph: EstimatorGraph, model: DummyClassifier, parts: list[Part]) -> Classes:
    if model.strategy not in ("prior", "most_frequent", "constant"):
        raise NotWrittenError(f"strategy is {model.strategy!r}, which answers at random")
    one = model.predict_proba(numpy.zeros((1, 1)))
    probabilities = graph.add("Mul", graph.filled(1.0, parts[0].tensor), graph.constant(one))
    place = list(model.classes_).index(model.predict(numpy.zeros((1, 1)))[0])
    ones = graph.add("Reshape", graph.filled(float(place), parts[0].tensor), graph.constant([-1]))
    return Classes(graph.add("Cast", ones, to=TensorProto.INT64), probabilities)


def _bernoulli(graph: EstimatorGraph, model: BernoulliNB, parts: list[Part]) -> Classes:
    x = graph.numbers(parts, model)
    if model.binarize is not None:
        x = graph.add("Cast", graph.add("Greater", x, graph.constant(float(model.binarize))), to=TensorProto.DOUBLE)
    absent = numpy.log(1 - numpy.exp(model.feature_log_prob_))
    product = graph.add("MatMul", x, graph.constant((model.feature_log_prob_ - absent).T))
    likelihood = graph.add("Add", product, graph.constant((model.class_log_prior_ + absent.sum(axis=1))[None]))
    return Classes(places_of_largest(graph, likelihood), softmax(graph, likelihood))


_Number = Callable[[EstimatorGraph, Any, list[Part]], str]
NUMBERS: dict[type, _Number] = {
    DummyRegressor: _same_number,
    KNeighborsRegressor: _mean_of_neighbours,
    NuSVR: _support_vectors,
    SVR: _support_vectors,
}
CLASSES: dict[type, Callable[[EstimatorGraph, Any, list[Part]], Classes]] = {
    BernoulliNB: _bernoulli,
    DummyClassifier: _same_classes,
    KNeighborsClassifier: _votes_of_neighbours,
}
SCORES: dict[type, _Number] = {
    LinearSVC: _linear,
    LogisticRegression: _linear,
    LogisticRegressionCV: _linear,
    NuSVC: _support_vectors,
    PassiveAggressiveClassifier: _linear,
    Perceptron: _linear,
    RidgeClassifier: _linear,
    RidgeClassifierCV: _linear,
    SGDClassifier: _linear,
    SVC: _support_vectors,
}
