"""Transformers of scikit-learn that skl2onnx writes in single precision, otherwise than they are, or not at all."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy
from onnx import TensorProto
from scipy.interpolate import BSpline, PPoly
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from services.delivery.onnx.arithmetic import FUNCTIONS, expm1, log1p
from services.delivery.onnx.categories import write_encoder
from services.delivery.onnx.estimator_graph import EstimatorGraph, NotWrittenError, Part
from services.delivery.onnx.interpolation import clip, interpolated


def own_writer(step: Any) -> Callable[[EstimatorGraph, Any, list[Part]], list[Part]] | None:
    """None for a step that is left to skl2onnx."""
    return _select if isinstance(step, SelectorMixin) else _WRITERS.get(type(step))


def _select(graph: EstimatorGraph, step: Any, parts: list[Part]) -> list[Part]:
    if not any(part.words for part in parts):
        graph.numbers(parts, step)
    return graph.choose(parts, step.get_support(indices=True).tolist())


def _function(graph: EstimatorGraph, step: FunctionTransformer, parts: list[Part]) -> list[Part]:
    if step.func is None:
        return parts
    name = getattr(step.func, "__name__", "")
    if step.kw_args or name not in FUNCTIONS or getattr(numpy, name, None) is not step.func:
        raise NotWrittenError(f"the function is {name or step.func} and not one of numpy's {', '.join(FUNCTIONS)}")
    if step.func is numpy.asarray:
        return parts
    matrix = graph.numbers(parts, step) if step.validate else graph.matrix(parts)
    return [Part(FUNCTIONS[name](graph, matrix), _width(parts))]


def _affine(subtracted: str, divided: str) -> Callable[[EstimatorGraph, Any, list[Part]], list[Part]]:
    def write(graph: EstimatorGraph, step: Any, parts: list[Part]) -> list[Part]:
        matrix = graph.numbers(parts, step)
        for operator, name in (("Sub", subtracted), ("Div", divided)):
            if (values := getattr(step, name, None)) is not None:
                matrix = graph.add(operator, matrix, graph.constant(numpy.asarray(values, dtype=float)[None]))
        return [Part(matrix, _width(parts))]

    return write


def _min_max(graph: EstimatorGraph, step: MinMaxScaler, parts: list[Part]) -> list[Part]:
    scaled = graph.add("Mul", graph.numbers(parts, step), graph.constant(step.scale_[None]))
    moved = graph.add("Add", scaled, graph.constant(step.min_[None]))
    if step.clip:
        moved = clip(graph, moved, *map(float, step.feature_range))
    return [Part(moved, _width(parts))]


def _normalize(graph: EstimatorGraph, step: Normalizer, parts: list[Part]) -> list[Part]:
    matrix = graph.numbers(parts, step)
    axes = graph.constant([1])
    operator = {"l1": "ReduceL1", "l2": "ReduceL2", "max": "ReduceMax"}[step.norm]
    norm = graph.add(operator, graph.add("Abs", matrix), axes, keepdims=1)
    nothing = graph.add("Equal", norm, graph.constant(0.0))
    return [Part(graph.add("Div", matrix, graph.add("Where", nothing, graph.constant(1.0), norm)), _width(parts))]


def _binarize(graph: EstimatorGraph, step: Binarizer, parts: list[Part]) -> list[Part]:
    above = graph.add("Greater", graph.numbers(parts, step), graph.constant(float(step.threshold)))
    return [Part(graph.add("Cast", above, to=TensorProto.DOUBLE), _width(parts))]


def _impute(graph: EstimatorGraph, step: SimpleImputer, parts: list[Part]) -> list[Part]:
    if step.add_indicator or step.keep_empty_features or any(part.words for part in parts):
        return _impute_each(graph, step, parts)
    return _filled(graph, step, [_missing(graph, step, part) for part in parts], parts)


def _impute_each(graph: EstimatorGraph, step: SimpleImputer, parts: list[Part]) -> list[Part]:
    columns = graph.columns(parts)
    missing = [_missing(graph, step, column) for column in columns]
    filled = _filled(graph, step, missing, columns)
    indicated = step.indicator_.features_.tolist() if step.add_indicator else []
    return filled + [Part(graph.add("Cast", missing[place], to=TensorProto.DOUBLE), 1) for place in indicated]


def _filled(graph: EstimatorGraph, step: SimpleImputer, missing: Sequence[str], parts: Sequence[Part]) -> list[Part]:
    filled, start = [], 0
    for absent, part in zip(missing, parts, strict=True):
        values = step.statistics_[start : start + part.width]
        start += part.width
        if any(value is None or value != value for value in values):
            raise NotWrittenError("a column of which training had no value is left out")
        if part.words:
            fill = graph.constant(numpy.array(values, dtype=object)[None])
        else:
            fill = graph.constant(numpy.asarray(values, dtype=float)[None])
        filled.append(Part(graph.add("Where", absent, fill, part.tensor), part.width, part.words, part.raw))
    return filled


def _missing(graph: EstimatorGraph, step: SimpleImputer | MissingIndicator, part: Part) -> str:
    value = step.missing_values
    if part.words:
        return _missing_words(graph, value, part)
    if not isinstance(value, int | float):
        raise NotWrittenError(f"missing_values is {value!r}, which no number is")
    if value != value:
        return graph.add("IsNaN", part.tensor)
    graph.refuse_unless_finite(part.tensor, may_be_missing=False)
    return graph.add("Equal", part.tensor, graph.constant(float(value)))


def _missing_words(graph: EstimatorGraph, value: Any, part: Part) -> str:
    """scikit-learn is given NaN where the graph has the empty string of an optional column."""
    if isinstance(value, str):
        return graph.add("Equal", part.tensor, graph.constant(numpy.array(value, dtype=object)))
    if not (isinstance(value, float) and value != value and part.raw):
        raise NotWrittenError(f"missing_values is {value!r}, which no string is")
    if part.optional:
        return graph.add("Equal", part.tensor, graph.constant(numpy.array("", dtype=object)))
    return graph.add("Not", graph.add("Equal", part.tensor, part.tensor))


def _indicate(graph: EstimatorGraph, step: MissingIndicator, parts: list[Part]) -> list[Part]:
    columns = [graph.columns(parts)[place] for place in step.features_.tolist()]
    found = [graph.add("Cast", _missing(graph, step, column), to=TensorProto.DOUBLE) for column in columns]
    return [Part(each, 1) for each in found]


def _polynomial(graph: EstimatorGraph, step: PolynomialFeatures, parts: list[Part]) -> list[Part]:
    """Each output is a product of columns; shorter ones are filled up with a column of ones."""
    matrix = graph.numbers(parts, step)
    width = _width(parts)
    factors = [list(chain.from_iterable([place] * int(power) for place, power in enumerate(p))) for p in step.powers_]
    longest = max(map(len, factors))
    with_one = graph.add("Concat", matrix, graph.filled(1.0, matrix), axis=1)
    found = ""
    for turn in range(max(longest, 1)):
        places = [each[turn] if turn < len(each) else width for each in factors]
        factor = graph.add("Gather", with_one, graph.constant(places), axis=1)
        found = graph.add("Mul", found, factor) if found else factor
    return [Part(found, len(factors))]


def _power(graph: EstimatorGraph, step: PowerTransformer, parts: list[Part]) -> list[Part]:
    matrix = graph.numbers(parts, step)
    columns = graph.columns([Part(matrix, _width(parts))])
    one = {"yeo-johnson": _yeo_johnson, "box-cox": _box_cox}[step.method]
    written = [
        Part(one(graph, column.tensor, float(lam)), 1) for column, lam in zip(columns, step.lambdas_, strict=True)
    ]
    return _affine("mean_", "scale_")(graph, step._scaler, written) if step.standardize else written


def _box_cox(graph: EstimatorGraph, x: str, lam: float) -> str:
    graph.refuse_where(graph.add("LessOrEqual", x, graph.constant(0.0)))
    logarithm = graph.add("Log", x)
    return _powered(graph, logarithm, lam)


def _powered(graph: EstimatorGraph, logarithm: str, lam: float) -> str:
    """(exp(lam * logarithm) - 1) / lam, of which the limit at 0 is the logarithm."""
    if abs(lam) < 1e-19:
        return logarithm
    value = graph.constant(lam)
    return graph.add("Div", expm1(graph, graph.add("Mul", logarithm, value)), value)


def _yeo_johnson(graph: EstimatorGraph, x: str, lam: float) -> str:
    """I. Yeo and R. Johnson, Biometrika 87 (2000); SciPy computes it as here."""
    size = graph.add("Abs", x)
    logarithm = log1p(graph, size)
    below = graph.add("Neg", _powered(graph, logarithm, 2 - lam))
    negative = graph.add("Less", x, graph.constant(0.0))
    return graph.add("Where", negative, below, _powered(graph, logarithm, lam))


def _quantiles(graph: EstimatorGraph, step: QuantileTransformer, parts: list[Part]) -> list[Part]:
    if step.output_distribution != "uniform":
        raise NotWrittenError("ONNX has no inverse of the normal distribution: use output_distribution='uniform'")
    columns = graph.columns([Part(graph.numbers(parts, step), _width(parts))])
    return [
        Part(_share_below(graph, column.tensor, quantiles, step.references_), 1)
        for column, quantiles in zip(columns, step.quantiles_.T, strict=True)
    ]


def _share_below(graph: EstimatorGraph, x: str, quantiles: numpy.ndarray, references: numpy.ndarray) -> str:
    """The mean of an interpolation from below and one from above, which differ where quantiles are equal."""
    first = interpolated(graph, x, quantiles, references)
    second = interpolated(graph, graph.add("Neg", x), -quantiles[::-1], -references[::-1])
    found = graph.add("Mul", graph.add("Sub", first, second), graph.constant(0.5))
    for bound, value in ((quantiles[-1], 1.0), (quantiles[0], 0.0)):
        at_bound = graph.add("Equal", x, graph.constant(float(bound)))
        found = graph.add("Where", at_bound, graph.constant(value), found)
    return graph.add("Where", graph.add("IsNaN", x), x, found)


def _bins(graph: EstimatorGraph, step: KBinsDiscretizer, parts: list[Part]) -> list[Part]:
    columns = graph.columns([Part(graph.numbers(parts, step), _width(parts))])
    written = []
    for column, edges in zip(columns, step.bin_edges_, strict=True):
        below = graph.add("LessOrEqual", graph.constant(edges[None, 1:-1]), column.tensor)
        bin_ = graph.sum(graph.add("Cast", below, to=TensorProto.DOUBLE))
        if step.encode != "ordinal":
            chosen = graph.add("Equal", bin_, graph.constant(numpy.arange(len(edges) - 1.0)[None]))
            written.append(Part(graph.add("Cast", chosen, to=TensorProto.DOUBLE), len(edges) - 1))
        else:
            written.append(Part(bin_, 1))
    return written


def _splines(graph: EstimatorGraph, step: SplineTransformer, parts: list[Part]) -> list[Part]:
    if step.extrapolation not in ("constant", "continue") or getattr(step, "handle_missing", "error") != "error":
        raise NotWrittenError(
            f"extrapolation is {step.extrapolation!r}: only 'constant' and 'continue' are written, without missing ones"
        )
    columns = graph.columns([Part(graph.numbers(parts, step), _width(parts))])
    width = step.bsplines_[0].c.shape[1]
    keep = list(range(width if step.include_bias else width - 1))
    written = [
        Part(_spline(graph, column.tensor, spline, step.extrapolation), width)
        for column, spline in zip(columns, step.bsplines_, strict=True)
    ]
    return list(chain.from_iterable(graph.choose([part], keep) for part in written))


def _spline(graph: EstimatorGraph, x: str, spline: Any, extrapolation: str) -> str:
    """All of a column's splines as polynomials of the distance from the left end of the interval."""
    first, last = spline.k, len(spline.t) - spline.k - 1
    starts = spline.t[first:last]
    each = [PPoly.from_spline(BSpline(spline.t, column, spline.k)) for column in spline.c.T]
    coefficients = numpy.stack([one.c[:, first:last] for one in each], axis=2)
    inside = x if extrapolation == "continue" else clip(graph, x, float(spline.t[first]), float(spline.t[last]))
    below = graph.add("Cast", graph.add("LessOrEqual", graph.constant(starts[None, 1:]), inside), to=TensorProto.INT64)
    interval = graph.add("ReduceSum", below, graph.constant([1]), keepdims=0)
    distance = graph.add(
        "Sub",
        inside,
        graph.add("Unsqueeze", graph.add("Gather", graph.constant(starts), interval), graph.constant([1])),
    )
    found = graph.add("Gather", graph.constant(coefficients[0]), interval)
    for power in coefficients[1:]:
        found = graph.add(
            "Add", graph.add("Mul", found, distance), graph.add("Gather", graph.constant(power), interval)
        )
    return found


def _width(parts: Sequence[Part]) -> int:
    return sum(part.width for part in parts)


_WRITERS: dict[type, Callable[[EstimatorGraph, Any, list[Part]], list[Part]]] = {
    Binarizer: _binarize,
    FunctionTransformer: _function,
    KBinsDiscretizer: _bins,
    MaxAbsScaler: _affine("", "scale_"),
    MinMaxScaler: _min_max,
    MissingIndicator: _indicate,
    Normalizer: _normalize,
    OneHotEncoder: write_encoder,
    OrdinalEncoder: write_encoder,
    PolynomialFeatures: _polynomial,
    PowerTransformer: _power,
    QuantileTransformer: _quantiles,
    RobustScaler: _affine("center_", "scale_"),
    SimpleImputer: _impute,
    SplineTransformer: _splines,
    StandardScaler: _affine("mean_", "scale_"),
    TargetEncoder: write_encoder,
}
