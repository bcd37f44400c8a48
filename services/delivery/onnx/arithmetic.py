"""Functions of numbers as nodes, right to the last digits of a double, by the names that numpy gives them."""

import math
from collections.abc import Callable

from onnx import TensorProto

from services.delivery.onnx.graph import Graph

Write = Callable[[Graph, str], str]


def log1p(graph: Graph, x: str) -> str:
    """log(1 + x) x / ((1 + x) - 1), which keeps the digits of a small x (W. Kahan; HP-15C Advanced Functions)."""
    one = graph.constant(1.0)
    sum_ = graph.add("Add", x, one)
    back = graph.add("Sub", sum_, one)
    found = graph.add("Mul", graph.add("Log", sum_), graph.add("Div", x, back))
    tiny = graph.add("Equal", back, graph.constant(0.0))
    large = graph.add("Greater", x, graph.constant(1e15))
    return graph.add("Where", tiny, x, graph.add("Where", large, graph.add("Log", sum_), found))


def expm1(graph: Graph, x: str) -> str:
    """(exp(x) - 1) x / log(exp(x)), which keeps the digits of a small x (W. Kahan)."""
    power = graph.add("Exp", x)
    less = graph.add("Sub", power, graph.constant(1.0))
    small = graph.add("Less", graph.add("Abs", x), graph.constant(0.5))
    tiny = graph.add("Equal", less, graph.constant(0.0))
    ratio = graph.add("Div", x, graph.add("Log", power))
    found = graph.add("Where", small, graph.add("Mul", less, ratio), less)
    return graph.add("Where", tiny, x, found)


def sigmoid(graph: Graph, x: str) -> str:
    """exp(min(x, 0)) / (1 + exp(-|x|)): onnxruntime's own is right to 1e-17 only, so that small ones are not."""
    power = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    one = graph.constant(1.0)
    above = graph.add("Where", graph.add("Less", x, graph.constant(0.0)), power, one)
    return graph.add("Div", above, graph.add("Add", power, one))


def softmax(graph: Graph, x: str) -> str:
    """Over the columns of each row."""
    largest = graph.add("ReduceMax", x, graph.constant([1]), keepdims=1)
    powers = graph.add("Exp", graph.add("Sub", x, largest))
    return graph.add("Div", powers, graph.add("ReduceSum", powers, graph.constant([1]), keepdims=1))


def places_of_largest(graph: Graph, matrix: str) -> str:
    """The first largest column of each row, int64 of shape (rows,)."""
    return graph.add("ArgMax", matrix, axis=1, keepdims=0)


def both_sides(graph: Graph, probability: str) -> str:
    """Of shape (rows, 2), from the probability of the second class, of shape (rows, 1)."""
    return graph.add("Concat", graph.add("Sub", graph.constant(1.0), probability), probability, axis=1)


def above(graph: Graph, scores: str, limit: float, equal: bool = False) -> str:
    """1 where a score, of shape (rows, 1), is above the limit, else 0; int64 of shape (rows,)."""
    compared = graph.add("GreaterOrEqual" if equal else "Greater", scores, graph.constant(limit))
    flat = graph.add("Reshape", compared, graph.constant([-1]))
    return graph.add("Cast", flat, to=TensorProto.INT64)


def _operator(name: str) -> Write:
    return lambda graph, x: graph.add(name, x)


def _times(operator: str, factor: float) -> Write:
    return lambda graph, x: graph.add("Mul", graph.add(operator, x) if operator else x, graph.constant(factor))


def _over(operator: str, divisor: float) -> Write:
    return lambda graph, x: graph.add("Div", graph.add(operator, x), graph.constant(divisor))


def _power(base: float) -> Write:
    return lambda graph, x: graph.add("Pow", graph.constant(base), x)


FUNCTIONS: dict[str, Write] = {
    "abs": _operator("Abs"),
    "absolute": _operator("Abs"),
    "asarray": _operator("Identity"),
    "ceil": _operator("Ceil"),
    "cos": _operator("Cos"),
    "deg2rad": _times("", math.pi / 180),
    "exp": _operator("Exp"),
    "exp2": _power(2.0),
    "expm1": expm1,
    "fabs": _operator("Abs"),
    "floor": _operator("Floor"),
    "log": _operator("Log"),
    "log10": _over("Log", math.log(10)),
    "log1p": log1p,
    "log2": _over("Log", math.log(2)),
    "negative": _operator("Neg"),
    "positive": _operator("Identity"),
    "rad2deg": _times("", 180 / math.pi),
    "radians": _times("", math.pi / 180),
    "reciprocal": _operator("Reciprocal"),
    "rint": _operator("Round"),
    "sign": _operator("Sign"),
    "sin": _operator("Sin"),
    "sqrt": _operator("Sqrt"),
    "square": lambda graph, x: graph.add("Mul", x, x),
    "tan": _operator("Tan"),
    "tanh": _operator("Tanh"),
}
