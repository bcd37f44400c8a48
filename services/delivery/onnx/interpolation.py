"""A function that is straight between given points, as nodes."""

import numpy
from onnx import TensorProto

from services.delivery.onnx.estimator_graph import EstimatorGraph


def interpolated(graph: EstimatorGraph, x: str, places: numpy.ndarray, values: numpy.ndarray) -> str:
    """As numpy.interp: of the last interval that begins at or below x."""
    inside = clip(graph, x, float(places[0]), float(places[-1]))
    below = graph.add("Cast", graph.add("LessOrEqual", graph.constant(places[None]), inside), to=TensorProto.INT64)
    interval = graph.add("Sub", graph.sum(below), graph.constant(1))
    widths = numpy.append(numpy.diff(places), 0.0)
    slopes = numpy.divide(numpy.append(numpy.diff(values), 0.0), widths, out=numpy.zeros(len(values)), where=widths > 0)
    start, base, slope = (graph.add("Gather", graph.constant(each), interval) for each in (places, values, slopes))
    found = graph.add("Add", graph.add("Mul", slope, graph.add("Sub", inside, start)), base)
    below_all = graph.add("Less", x, graph.constant(float(places[0])))
    return graph.add("Where", below_all, graph.constant(float(values[0])), found)


def clip(graph: EstimatorGraph, x: str, low: float, high: float) -> str:
    """NaN stays, which ONNX's Clip does not promise."""
    not_above = graph.add("Where", graph.add("Greater", x, graph.constant(high)), graph.constant(high), x)
    return graph.add("Where", graph.add("Less", x, graph.constant(low)), graph.constant(low), not_above)
