"""Writes a saved Spark pipeline as a graph, from its files and without a JVM."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
from onnx import TensorProto

from services.contract import names
from services.contract.errors import Refused
from services.contract.release import Column
from services.delivery.onnx.graph import Graph, label_outputs
from services.delivery.onnx.spark_stage import Stage
from services.delivery.onnx.spark_trees import boosted_trees, voting_trees
from services.delivery.onnx.tree_ensemble import Node, tree_ensemble


@dataclass
class StageGraph(Graph):
    """`written` are Spark's columns so far, each a tensor of shape (rows, width), double but for strings."""

    written: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """The tensor of a column. Raises Refused for one that is neither an input nor given by an earlier stage."""
        if name not in self.written:
            place = next((place for place, column in enumerate(self.inputs) if column.name == name), None)
            if place is None:
                raise Refused(f"expected stages that read inputs or one another, found one that reads '{name}'")
            self.written[name] = self.column(place)
        return self.written[name]

    def type_of(self, name: str) -> str:
        return next((column.type for column in self.inputs if column.name == name), "double")


def write_stages(stages: Sequence[Stage], inputs: Sequence[Column]) -> bytes:
    """Features first, the classifier last. Raises Refused, with the reason, for a stage or an option that is not
    written, and OSError, ValueError, KeyError, TypeError or IndexError for damaged files."""
    *features, classifier = stages
    graph = StageGraph(inputs)
    for stage in features:
        _known(stage, _FEATURES)(stage, graph)
    return _answered(graph, *_known(classifier, _CLASSIFIERS)(classifier, graph))


def _answered(graph: Graph, probability: str, score: str, limit: float) -> bytes:
    """The label is 1 when `score` is above `limit`; both tensors are of shape (rows, 1)."""
    axis = graph.constant([1])
    above = graph.add("Cast", graph.add("Greater", score, graph.constant(limit)), to=TensorProto.INT64)
    graph.add("Squeeze", above, axis, output=names.GRAPH_LABEL)
    graph.add("Squeeze", probability, axis, output=names.GRAPH_PROBABILITY)
    graph.answer_all(graph.add("Concat", graph.add("Sub", graph.constant(1.0), probability), probability, axis=1), 2)
    return graph.write(label_outputs(TensorProto.INT64))


def _index(stage: Stage, graph: StageGraph) -> None:
    """A label's place; one that is not known, and none at all, has the place behind the last."""
    _keeps_what_it_does_not_know(stage)
    (saved,) = stage.rows()
    for column, output, labels in zip(
        stage.columns("input"), stage.columns("output"), saved["labelsArray"], strict=True
    ):
        if graph.type_of(column) != "string":
            raise Refused(f"expected a StringIndexer of strings, found one of '{column}': only strings are written")
        found = graph.add(
            "LabelEncoder",
            graph.named(column),
            domain="ai.onnx.ml",
            keys_strings=labels,
            values_int64s=range(len(labels)),
            default_int64=len(labels),
        )
        graph.written[output] = graph.add("Cast", found, to=TensorProto.DOUBLE)


def _one_hot(stage: Stage, graph: StageGraph) -> None:
    """A row of a unit matrix; what is not in 0..size is in place `size`, whose column goes when the last is dropped."""
    _keeps_what_it_does_not_know(stage)
    (saved,) = stage.rows()
    for column, output, size in zip(
        stage.columns("input"), stage.columns("output"), saved["categorySizes"], strict=True
    ):
        value, last = graph.named(column), graph.constant(float(size))
        not_below = graph.add("GreaterOrEqual", value, graph.constant(0.0))
        inside = graph.add("And", not_below, graph.add("Less", value, last))
        place = graph.add("Cast", graph.add("Where", inside, value, last), to=TensorProto.INT64)
        unit = numpy.eye(size + 1)[:, : size if stage.parameters["dropLast"] else size + 1]
        row = graph.add("Squeeze", place, graph.constant([1]))
        graph.written[output] = graph.add("Gather", graph.constant(unit), row)


def _impute(stage: Stage, graph: StageGraph) -> None:
    if (missing := stage.parameters["missingValue"]) != "NaN":
        raise Refused(f"expected an Imputer whose missingValue is NaN, found {missing}: only NaN is written")
    (surrogates,) = stage.rows()
    for column, output in zip(stage.columns("input"), stage.columns("output"), strict=True):
        value = graph.named(column)
        surrogate = graph.constant(float(surrogates[column]))
        graph.written[output] = graph.add("Where", graph.add("IsNaN", value), surrogate, value)


def _assemble(stage: Stage, graph: StageGraph) -> None:
    if stage.parameters["handleInvalid"] == "skip":
        raise Refused("expected a VectorAssembler that answers each row, found handleInvalid 'skip'")
    parts = [graph.named(column) for column in stage.columns("input")]
    graph.written[stage.parameters["outputCol"]] = graph.add("Concat", *parts, axis=1)


def _keeps_what_it_does_not_know(stage: Stage) -> None:
    if (found := stage.parameters["handleInvalid"]) != "keep":
        raise Refused(f"expected {stage.kind} with handleInvalid 'keep', found '{found}': only 'keep' is written")


def _features(stage: Stage, graph: StageGraph) -> str:
    if stage.parameters.get("thresholds"):
        raise Refused(f"expected {stage.kind} without thresholds, found {stage.parameters['thresholds']}")
    return graph.named(stage.parameters["featuresCol"])


def _logistic(stage: Stage, graph: StageGraph) -> tuple[str, str, float]:
    (saved,) = stage.rows()
    if saved["isMultinomial"] or saved["numClasses"] != 2:
        raise Refused(f"expected a binary LogisticRegression, found a multinomial one of {saved['numClasses']} labels")
    weights = graph.constant(_weights(saved["coefficientMatrix"])[:, None])
    intercept = graph.constant(float(sum(saved["interceptVector"]["values"])))
    margin = graph.add("Add", graph.add("MatMul", _features(stage, graph), weights), intercept)
    return _probability(graph, margin), margin, _log_odds(stage.parameters["threshold"])


def _weights(matrix: dict[str, Any]) -> numpy.ndarray:
    """Of shape (features,), from Spark's matrix of one row: dense, or sparse by rows or by columns."""
    weights = numpy.zeros(matrix["numCols"])
    if matrix["type"] == 1:
        weights[:] = matrix["values"]
    elif matrix["isTransposed"]:
        weights[matrix["rowIndices"]] = matrix["values"]
    else:
        weights[numpy.repeat(numpy.arange(matrix["numCols"]), numpy.diff(matrix["colPtrs"]))] = matrix["values"]
    return weights


def _log_odds(threshold: float) -> float:
    if threshold in (0, 1):
        return math.inf if threshold else -math.inf
    return math.log(threshold / (1 - threshold))


def _probability(graph: StageGraph, score: str) -> str:
    """As Spark has it, 1 less the probability of 0: a small one has few digits there, and so the same ones here."""
    one = graph.constant(1.0)
    zero = graph.add("Div", one, graph.add("Add", one, graph.add("Exp", score)))
    return graph.add("Sub", one, zero)


def _boosted(stage: Stage, graph: StageGraph) -> tuple[str, str, float]:
    """Spark's loss is of twice the margin: https://spark.apache.org/docs/latest/mllib-ensembles.html#losses"""
    margin = _sum(graph, boosted_trees(stage), _features(stage, graph))
    return _probability(graph, graph.add("Add", margin, margin)), margin, 0.0


def _random_forest(stage: Stage, graph: StageGraph) -> tuple[str, str, float]:
    probability = _sum(graph, voting_trees(stage), _features(stage, graph))
    return probability, probability, 0.5


def _sum(graph: StageGraph, trees: Sequence[Node], features: str) -> str:
    output = f"_{len(graph.nodes)}_trees"
    graph.nodes.append(tree_ensemble(trees, features, output))
    return output


_FEATURES: dict[str, Callable[[Stage, StageGraph], None]] = {
    "feature.StringIndexerModel": _index,
    "feature.OneHotEncoderModel": _one_hot,
    "feature.ImputerModel": _impute,
    "feature.VectorAssembler": _assemble,
}
# Each gives the probability of 1, a score and the limit above which the score means 1.
_CLASSIFIERS: dict[str, Callable[[Stage, StageGraph], tuple[str, str, float]]] = {
    "classification.LogisticRegressionModel": _logistic,
    "classification.GBTClassificationModel": _boosted,
    "classification.RandomForestClassificationModel": _random_forest,
}


def _known(stage: Stage, writers: dict[str, Any]) -> Any:
    if stage.kind not in writers:
        raise Refused(f"expected one of {', '.join(sorted(writers))} as ONNX, found {stage.kind}")
    return writers[stage.kind]
