"""A model of XGBoost or LightGBM on its own as a graph."""

from collections.abc import Callable, Sequence
from typing import Any

from services.contract.boosted import Boosted
from services.contract.errors import Refused
from services.contract.release import Column
from services.delivery.onnx.estimator_graph import Classes, EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.outputs import write_labels, write_number

Number = Callable[[EstimatorGraph, Any, list[Part]], str]
Labels = Callable[[EstimatorGraph, Any, list[Part]], Classes]


def write_boosted(model: Boosted, inputs: Sequence[Column], number: Number, labels: Labels) -> bytes:
    """Raises Refused, with the reason, for what is not written."""
    graph = EstimatorGraph(inputs)
    try:
        if model.classes:
            return write_labels(graph, list(model.classes), labels(graph, model.booster, graph.parts()))
        return write_number(graph, number(graph, model.booster, graph.parts()))
    except NotWrittenError as reason:
        raise Refused(f"the model has no ONNX form here: {reason}") from reason
