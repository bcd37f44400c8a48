"""scikit-learn from skops, with our own list of trusted types; as a graph by skl2onnx, boosted trees by ourselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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

from services.contract.errors import Refused
from services.contract.estimator import ask_estimator, load_estimator
from services.contract.prediction import Prediction
from services.contract.release import Column, Form
from services.delivery.onnx.tree_ensemble import Branch, Leaf, Node, input_name, tree_ensemble, write_graph

MODEL_FILE = "model.skops"
NATIVE: Form | None = Form(runtime="sklearn", file=f"model/{MODEL_FILE}", tolerance=1e-9)

_OPSETS = {"": 21, "ai.onnx.ml": 3}
_TYPES = {"string": StringTensorType, "double": DoubleTensorType, "long": DoubleTensorType, "boolean": DoubleTensorType}
_LOSSES_OF_LOGARITHMS = ("gamma", "poisson")


def load(folder: Path) -> Any:
    return load_estimator(folder / MODEL_FILE)


def predict(
    model: Any,
    rows: Sequence[Sequence[Any]],
    inputs: Sequence[Column],  # noqa: ARG001  an estimator knows its columns
) -> list[Prediction]:
    return ask_estimator(model, numpy.array(rows, dtype=object))


def to_onnx(model: Any, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001  the model says it all
    """Raises Refused, with the reason, for a step that skl2onnx does not know and for splits by category."""
    *steps, estimator = _steps(model)
    graph = _Graph()
    try:
        features = _write_features(graph, steps, inputs)
        outputs = _write_estimator(graph, estimator, features)
        return write_graph(graph.nodes, inputs, outputs, graph.constants)
    except Refused:
        raise
    # A model without this form fails in whatever way skl2onnx and onnx happen to fail.
    except Exception as error:
        raise Refused(f"{type(estimator).__name__} has no ONNX form here: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """In one line; these libraries go on for many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


@dataclass
class _Graph:
    """What is written so far."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, numpy.ndarray] = field(default_factory=dict)

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = numpy.asarray(value)
        return name

    def add_step(self, prefix: str, step: Any, given: Mapping[str, Any]) -> list[str]:
        """A fitted step as skl2onnx writes it; the names of its outputs."""
        options = {"zipmap": False} if is_classifier(step) else None
        types = list(given.items())
        model = skl2onnx.to_onnx(step, initial_types=types, target_opset=_OPSETS, options=options)
        written = compose.add_prefix(model, prefix, rename_inputs=False).graph
        for node in written.node:
            self.nodes += _sigmoid(node, self.constant("one", 1.0)) if node.op_type == "Sigmoid" else [node]
        for initializer in written.initializer:
            self.constant(initializer.name, numpy_helper.to_array(initializer))
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


def _write_features(graph: _Graph, steps: Sequence[Any], inputs: Sequence[Column]) -> str:
    """What the last step is given: double, of shape (rows, features)."""
    columns = _write_columns(graph, inputs)
    if not steps or not isinstance(steps[0], ColumnTransformer):
        columns = _write_matrix(graph, columns)
    if not steps:
        return graph.add("Identity", list(columns), "features")
    pipeline = Pipeline([(f"step_{place}", step) for place, step in enumerate(steps)])
    return graph.add("Cast", graph.add_step("features_", pipeline, columns), "features", to=TensorProto.DOUBLE)


def _write_columns(graph: _Graph, inputs: Sequence[Column]) -> dict[str, Any]:
    """Each input with a second dimension, and its type in skl2onnx."""
    second = graph.constant("second_dimension", [1])
    return {
        graph.add("Unsqueeze", [input_name(place), second], f"column_{place}"): _TYPES[column.type]([None, 1])
        for place, column in enumerate(inputs)
    }


def _write_matrix(graph: _Graph, columns: Mapping[str, Any]) -> dict[str, Any]:
    """All of them side by side, for a step that does not choose."""
    kinds = {type(kind) for kind in columns.values()}
    if len(kinds) > 1:
        raise Refused("expected a ColumnTransformer first where strings stand beside numbers, found none")
    return {graph.add("Concat", list(columns), "columns", axis=1): kinds.pop()([None, len(columns)])}


def _write_estimator(graph: _Graph, estimator: Any, features: str) -> dict[str, int]:
    """The element types of the outputs by name."""
    if isinstance(estimator, HistGradientBoostingRegressor):
        return _write_number(graph, _write_boosted(graph, estimator, features))
    given = {features: DoubleTensorType([None, estimator.n_features_in_])}
    outputs = graph.add_step("estimator_", estimator, given)
    if is_classifier(estimator):
        return _write_label(graph, list(estimator.classes_), *outputs)
    return _write_number(graph, *outputs)


def _write_number(graph: _Graph, found: str) -> dict[str, int]:
    flat = graph.add("Reshape", [found, graph.constant("one_dimension", [-1])], "flat")
    graph.add("Cast", [flat], "prediction", to=TensorProto.DOUBLE)
    return {"prediction": TensorProto.DOUBLE}


def _write_label(graph: _Graph, classes: list[Any], label: str, probabilities: str) -> dict[str, int]:
    """The probability is that of the label; of 1 when the classes are 0 and 1."""
    one_dimension, second = graph.constant("one_dimension", [-1]), "second_dimension"
    graph.add("Reshape", [label, one_dimension], "label")
    doubles = graph.add("Cast", [probabilities], "probabilities", to=TensorProto.DOUBLE)
    if classes == [0, 1]:
        chosen = graph.add("Gather", [doubles, graph.constant("of_one", [1])], "chosen", axis=1)
    else:
        names = {"keys_strings": classes, "values_int64s": range(len(classes))}
        places = graph.add("LabelEncoder", ["label"], "places", domain="ai.onnx.ml", **names)
        chosen = graph.add(
            "GatherElements", [doubles, graph.add("Unsqueeze", [places, second], "place")], "chosen", axis=1
        )
    graph.add("Reshape", [chosen, one_dimension], "probability")
    return {"label": TensorProto.INT64 if classes == [0, 1] else TensorProto.STRING, "probability": TensorProto.DOUBLE}


def _write_boosted(graph: _Graph, model: HistGradientBoostingRegressor, features: str) -> str:
    """Trees in double precision, which skl2onnx cannot write: rounded, a threshold falls beside the value it was at."""
    if model.is_categorical_ is not None:
        raise Refused("trees that split by category have no ONNX form here: encode the categories before")
    trees = [_tree(predictor.nodes) for (predictor,) in model._predictors]
    graph.nodes.append(tree_ensemble(trees, features, "trees"))
    baseline = graph.constant("baseline", model._baseline_prediction.astype(float).reshape(1, 1))
    raw = graph.add("Add", ["trees", baseline], "raw")
    return graph.add("Exp", [raw], "expected") if model.loss in _LOSSES_OF_LOGARITHMS else raw


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
