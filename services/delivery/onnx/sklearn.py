"""Writes a fitted scikit-learn estimator as a graph: most steps by skl2onnx, boosted trees by ourselves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import onnx
import skl2onnx
from onnx import TensorProto, compose, numpy_helper
from onnx.helper import make_node
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from services.contract import names
from services.contract.errors import Refused
from services.contract.release import Column
from services.delivery.onnx.graph import NUMBER_OUTPUTS, Graph, label_outputs
from services.delivery.onnx.tree_ensemble import Branch, Leaf, Node, tree_ensemble

_OPSETS = {"": 21, "ai.onnx.ml": 3}
_TYPES = {"string": StringTensorType, "double": DoubleTensorType, "long": DoubleTensorType, "boolean": DoubleTensorType}
_LOSSES_OF_LOGARITHMS = ("gamma", "poisson")


def write_estimator(model: Any, inputs: Sequence[Column]) -> bytes:
    """Raises Refused, with the reason, for a step that skl2onnx does not know and for splits by category."""
    *steps, estimator = _steps(model)
    graph = Graph(inputs)
    try:
        return graph.write(_write_estimator(graph, estimator, _write_features(graph, steps)))
    except Refused:
        raise
    # A model without this form fails in whatever way skl2onnx and onnx happen to fail.
    except Exception as error:
        raise Refused(f"{type(estimator).__name__} has no ONNX form here: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """In one line; these libraries go on for many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _add_step(graph: Graph, prefix: str, step: Any, given: Mapping[str, Any]) -> list[str]:
    """A fitted step as skl2onnx writes it; the names of its outputs."""
    options = {"zipmap": False} if is_classifier(step) else None
    model = skl2onnx.to_onnx(step, initial_types=list(given.items()), target_opset=_OPSETS, options=options)
    written = compose.add_prefix(model, prefix, rename_inputs=False).graph
    for node in written.node:
        graph.nodes += _sigmoid(node, graph.constant(1.0)) if node.op_type == "Sigmoid" else [node]
    graph.constants.update((each.name, numpy_helper.to_array(each)) for each in written.initializer)
    return [output.name for output in written.output]


def _sigmoid(node: onnx.NodeProto, one: str) -> list[onnx.NodeProto]:
    """1 / (1 + exp(-x)): onnxruntime's own is right to 1e-17 only, so that small probabilities are not."""
    (given,), (name,) = node.input, node.output
    return [
        make_node("Neg", [given], [f"{name}_negative"]),
        make_node("Exp", [f"{name}_negative"], [f"{name}_power"]),
        make_node("Add", [f"{name}_power", one], [f"{name}_sum"]),
        make_node("Reciprocal", [f"{name}_sum"], [name]),
    ]


def _steps(model: Any) -> list[Any]:
    """Those of a pipeline, without a first one that only copies its input."""
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    first = steps[0]
    copies = isinstance(first, FunctionTransformer) and first.func in (None, numpy.asarray)
    return steps[1:] if copies else steps


def _write_features(graph: Graph, steps: Sequence[Any]) -> str:
    """What the last step is given: double, of shape (rows, features)."""
    columns = {graph.column(place): _TYPES[column.type]([None, 1]) for place, column in enumerate(graph.inputs)}
    if not steps or not isinstance(steps[0], ColumnTransformer):
        columns = _write_matrix(graph, columns)
    if not steps:
        return graph.add("Identity", *columns)
    pipeline = Pipeline([(f"step_{place}", step) for place, step in enumerate(steps)])
    return graph.add("Cast", *_add_step(graph, "features_", pipeline, columns), to=TensorProto.DOUBLE)


def _write_matrix(graph: Graph, columns: Mapping[str, Any]) -> dict[str, Any]:
    """All of them side by side, for a step that does not choose."""
    kinds = {type(kind) for kind in columns.values()}
    if len(kinds) > 1:
        raise Refused("expected a ColumnTransformer first where strings stand beside numbers, found none")
    return {graph.add("Concat", *columns, axis=1): kinds.pop()([None, len(columns)])}


def _write_estimator(graph: Graph, estimator: Any, features: str) -> dict[str, int]:
    """The element types of the outputs by name."""
    if isinstance(estimator, HistGradientBoostingRegressor):
        return _write_number(graph, _write_boosted(graph, estimator, features))
    given = {features: DoubleTensorType([None, estimator.n_features_in_])}
    outputs = _add_step(graph, "estimator_", estimator, given)
    if is_classifier(estimator):
        return _write_label(graph, list(estimator.classes_), *outputs)
    return _write_number(graph, *outputs)


def _write_number(graph: Graph, found: str) -> dict[str, int]:
    flat = graph.add("Reshape", found, graph.constant([-1]))
    graph.add("Cast", flat, output=names.GRAPH_PREDICTION, to=TensorProto.DOUBLE)
    return NUMBER_OUTPUTS


def _write_label(graph: Graph, classes: list[Any], label: str, probabilities: str) -> dict[str, int]:
    """The probability is that of the label; of 1 when the classes are 0 and 1."""
    binary, one_dimension = classes == [0, 1], graph.constant([-1])
    graph.add("Reshape", label, one_dimension, output=names.GRAPH_LABEL)
    doubles = graph.add("Cast", probabilities, to=TensorProto.DOUBLE)
    graph.answer_all(doubles, len(classes))
    chosen = graph.add("Gather", doubles, graph.constant([1]), axis=1) if binary else _of_label(graph, classes, doubles)
    graph.add("Reshape", chosen, one_dimension, output=names.GRAPH_PROBABILITY)
    return label_outputs(TensorProto.INT64 if binary else TensorProto.STRING)


def _of_label(graph: Graph, classes: list[Any], probabilities: str) -> str:
    """From probabilities of shape (rows, classes) to that of each row's label, of shape (rows, 1)."""
    known: dict[str, Any] = {"keys_strings": classes, "values_int64s": range(len(classes))}
    places = graph.add("LabelEncoder", names.GRAPH_LABEL, domain="ai.onnx.ml", **known)
    return graph.add("GatherElements", probabilities, graph.add("Unsqueeze", places, graph.constant([1])), axis=1)


def _write_boosted(graph: Graph, model: HistGradientBoostingRegressor, features: str) -> str:
    """Trees in double precision, which skl2onnx cannot write: rounded, a threshold falls beside the value it was at."""
    if model.is_categorical_ is not None:
        raise Refused("trees that split by category have no ONNX form here: encode the categories before")
    trees = [_tree(predictor.nodes) for (predictor,) in model._predictors]
    graph.nodes.append(tree_ensemble(trees, features, "trees"))
    baseline = graph.constant(model._baseline_prediction.astype(float).reshape(1, 1))
    raw = graph.add("Add", "trees", baseline)
    return graph.add("Exp", raw) if model.loss in _LOSSES_OF_LOGARITHMS else raw


def _tree(nodes: Any, place: int = 0) -> Node:
    node = nodes[place]
    if node["is_leaf"]:
        return Leaf(float(node["value"]))
    return Branch(
        feature=int(node["feature_idx"]),
        threshold=float(node["num_threshold"]),
        true=_tree(nodes, int(node["left"])),
        false=_tree(nodes, int(node["right"])),
        missing_true=bool(node["missing_go_to_left"]),
    )
