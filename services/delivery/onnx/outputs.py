"""The outputs of a graph, of what was written for the last step."""

from typing import Any

import numpy
from onnx import TensorProto

from services.contract import names
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph
from services.delivery.onnx.graph import NUMBER_OUTPUTS, label_outputs


def write_number(graph: EstimatorGraph, found: str) -> bytes:
    """`found` is double of shape (rows, 1)."""
    graph.add("Reshape", graph.accepted(found), graph.constant([-1]), output=names.GRAPH_PREDICTION)
    return graph.write(NUMBER_OUTPUTS)


def write_labels(graph: EstimatorGraph, classes: list[Any], found: Classes) -> bytes:
    """The probability is that of the label; of 1 when the classes are 0 and 1."""
    binary, probabilities = classes == [0, 1], graph.accepted(found.probabilities)
    graph.answer_all(probabilities, len(classes))
    if binary:
        graph.add("Identity", found.places, output=names.GRAPH_LABEL)
        chosen = graph.add("Gather", probabilities, graph.constant([1]), axis=1)
    else:
        labels = graph.constant(numpy.array([str(label) for label in classes], dtype=object))
        graph.add("Gather", labels, found.places, output=names.GRAPH_LABEL)
        places = graph.add("Unsqueeze", found.places, graph.constant([1]))
        chosen = graph.add("GatherElements", probabilities, places, axis=1)
    graph.add("Reshape", chosen, graph.constant([-1]), output=names.GRAPH_PROBABILITY)
    return graph.write(label_outputs(TensorProto.INT64 if binary else TensorProto.STRING))
