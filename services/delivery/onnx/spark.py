"""Writes a saved Spark pipeline as a graph, from its files and without a JVM."""

from collections.abc import Sequence
from typing import Any

from onnx import TensorProto

from services.contract import names
from services.contract.errors import Refused
from services.contract.release import Column
from services.contract.spark import NAMES_OF_LABELS
from services.delivery.onnx.graph import NUMBER_OUTPUTS, label_outputs
from services.delivery.onnx.spark_features import FEATURES
from services.delivery.onnx.spark_graph import StageGraph
from services.delivery.onnx.spark_predictors import CLASSIFIERS, REGRESSORS, Chances
from services.delivery.onnx.spark_stage import Stage


def write_stages(stages: Sequence[Stage], inputs: Sequence[Column]) -> bytes:
    """Features first, then what predicts, then the names of its labels, if they have any. Raises Refused, with the
    reason, for a stage or an option that is not written, and OSError, ValueError, KeyError, TypeError or IndexError for
    damaged files."""
    labels = stages[-1].parameters["labels"] if stages[-1].kind == NAMES_OF_LABELS else None
    *features, predictor = stages if labels is None else stages[:-1]
    graph = StageGraph(inputs)
    for stage in features:
        _known(stage, FEATURES)(stage, graph)
    if predictor.kind in REGRESSORS:
        return _numbered(graph, REGRESSORS[predictor.kind](predictor, graph))
    chances = _known(predictor, CLASSIFIERS, REGRESSORS)(predictor, graph)
    return _binary(graph, chances) if labels is None else _named(graph, chances, labels)


def _numbered(graph: StageGraph, number: str) -> bytes:
    """`number` is of shape (rows, 1)."""
    graph.add("Squeeze", graph.or_no_number(number), graph.constant([1]), output=names.GRAPH_PREDICTION)
    return graph.write(NUMBER_OUTPUTS)


def _binary(graph: StageGraph, chances: Chances) -> bytes:
    """The label is a number, the probability that of 1."""
    axis = graph.constant([1])
    one = graph.add("Gather", chances.probability, axis, axis=1)
    graph.add("Squeeze", chances.label, axis, output=names.GRAPH_LABEL)
    graph.add("Squeeze", graph.or_no_number(one), axis, output=names.GRAPH_PROBABILITY)
    graph.answer_all(graph.or_no_number(chances.probability), 2)
    return graph.write(label_outputs(TensorProto.INT64))


def _named(graph: StageGraph, chances: Chances, labels: Sequence[str]) -> bytes:
    """The label is a string, the probability its own."""
    axis = graph.constant([1])
    own = graph.add("GatherElements", chances.probability, chances.label, axis=1)
    name = graph.add(
        "LabelEncoder",
        chances.label,
        domain="ai.onnx.ml",
        keys_int64s=range(len(labels)),
        values_strings=labels,
    )
    graph.add("Squeeze", name, axis, output=names.GRAPH_LABEL)
    graph.add("Squeeze", graph.or_no_number(own), axis, output=names.GRAPH_PROBABILITY)
    graph.answer_all(graph.or_no_number(chances.probability), len(labels))
    return graph.write(label_outputs(TensorProto.STRING))


def _known(stage: Stage, *writers: dict[str, Any]) -> Any:
    known = {kind: writer for some in writers for kind, writer in some.items()}
    if stage.kind not in known:
        raise Refused(f"expected stages that are written as ONNX, found {stage.kind}: such a model is for batch only")
    return known[stage.kind]
