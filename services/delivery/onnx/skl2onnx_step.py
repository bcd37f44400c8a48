"""A fitted step as skl2onnx writes it, and only if it is written in double precision."""

from collections.abc import Iterator, Sequence
from typing import Any

import onnx
import skl2onnx
from onnx import TensorProto, compose, numpy_helper
from onnx.helper import make_node
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import is_classifier

from services.delivery.onnx.estimator_graph import EstimatorGraph, NotWrittenError, Part

_OPSETS = {"": 21, "ai.onnx.ml": 3}
# What these of ai.onnx.ml answer has single precision, whatever they are given:
# https://onnx.ai/onnx/operators/#ai-onnx-ml
_SINGLE = {
    "Imputer", "LinearClassifier", "LinearRegressor", "Normalizer", "SVMClassifier", "SVMRegressor", "Scaler",
    "TreeEnsembleClassifier", "TreeEnsembleRegressor",
}  # fmt: skip
# What skl2onnx 1.20 writes of these answers otherwise than they do, or fails on rows that they take.
_OTHERWISE = {"RadiusNeighborsClassifier", "RadiusNeighborsRegressor", "TunedThresholdClassifierCV"}


def write_step(graph: EstimatorGraph, step: Any, parts: Sequence[Part]) -> list[str]:
    """The names of its outputs. Raises NotWrittenError for a graph that rounds to single precision."""
    if type(step).__name__ in _OTHERWISE:
        raise NotWrittenError("skl2onnx writes it so that it answers otherwise")
    words = any(part.words for part in parts)
    given = graph.matrix(parts) if words else graph.numbers(parts, step)
    kind = (StringTensorType if words else DoubleTensorType)([None, sum(part.width for part in parts)])
    options = {"zipmap": False} if is_classifier(step) else None
    try:
        model = skl2onnx.to_onnx(step, initial_types=[(given, kind)], target_opset=_OPSETS, options=options)
    except (MissingShapeCalculator, MissingConverter) as error:
        raise NotWrittenError("skl2onnx does not know it") from error
    if foreign := sorted({node.domain for node in model.graph.node} - set(_OPSETS)):
        raise NotWrittenError(f"skl2onnx writes it with operators of {', '.join(foreign)}, which no specification has")
    if rounding := sorted(set(_rounding(model.graph))):
        raise NotWrittenError(f"skl2onnx writes it in single precision: {', '.join(rounding)}")
    written = compose.add_prefix(model, f"step_{len(graph.nodes)}_", rename_inputs=False).graph
    for node in written.node:
        graph.nodes += _sigmoid(node, graph.constant(1.0)) if node.op_type == "Sigmoid" else [node]
    graph.constants.update((each.name, numpy_helper.to_array(each)) for each in written.initializer)
    return [output.name for output in written.output]


def _rounding(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        if node.op_type in _SINGLE:
            yield node.op_type
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                yield "Cast to float"
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _rounding(attribute.g)
    if any(each.data_type == TensorProto.FLOAT for each in graph.initializer):
        yield "float constants"


def _sigmoid(node: onnx.NodeProto, one: str) -> list[onnx.NodeProto]:
    """1 / (1 + exp(-x)): onnxruntime's own is right to 1e-17 only, so that small probabilities are not."""
    (given,), (name,) = node.input, node.output
    return [
        make_node("Neg", [given], [f"{name}_negative"]),
        make_node("Exp", [f"{name}_negative"], [f"{name}_power"]),
        make_node("Add", [f"{name}_power", one], [f"{name}_sum"]),
        make_node("Reciprocal", [f"{name}_sum"], [name]),
    ]
