"""Stages of a Spark pipeline that make features, as ONNX."""

from collections.abc import Callable
from typing import Any

import numpy
from onnx import TensorProto

from services.contract.errors import Refused
from services.delivery.onnx.spark_graph import StageGraph
from services.delivery.onnx.spark_stage import Stage, matrix, vector


def _index(stage: Stage, graph: StageGraph) -> None:
    """A label's place; one that is not known, and none at all, has the place behind the last."""
    refuses = _refuses_what_it_does_not_know(stage)
    for column, output, labels in zip(
        stage.columns("input"), stage.columns("output"), stage.fitted()["labelsArray"], strict=True
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
        if refuses:
            graph.unanswerable.append(graph.add("Equal", found, graph.constant(len(labels))))
        graph.written[output] = graph.add("Cast", found, to=TensorProto.DOUBLE)


def _one_hot(stage: Stage, graph: StageGraph) -> None:
    """A row of a unit matrix; what is not in 0..size is in place `size`, whose column goes when the last is dropped.

    Where it refuses what it does not know, there is no such place, and the last that is dropped is a known one.
    """
    refuses = _refuses_what_it_does_not_know(stage)
    for column, output, size in zip(
        stage.columns("input"), stage.columns("output"), stage.fitted()["categorySizes"], strict=True
    ):
        value, last = graph.named(column), graph.constant(float(size))
        not_below = graph.add("GreaterOrEqual", value, graph.constant(0.0))
        inside = graph.add("And", not_below, graph.add("Less", value, last))
        if refuses:
            graph.unanswerable.append(graph.add("Not", inside))
        place = graph.add("Cast", graph.add("Where", inside, value, last), to=TensorProto.INT64)
        width = (size if refuses else size + 1) - int(stage.parameters["dropLast"])
        row = graph.add("Squeeze", place, graph.constant([1]))
        graph.written[output] = graph.add("Gather", graph.constant(numpy.eye(size + 1)[:, :width]), row)


def _impute(stage: Stage, graph: StageGraph) -> None:
    if (missing := stage.parameters["missingValue"]) != "NaN":
        raise Refused(f"expected an Imputer whose missingValue is NaN, found {missing}: only NaN is written")
    surrogates = stage.fitted()
    for column, output in zip(stage.columns("input"), stage.columns("output"), strict=True):
        value = graph.named(column)
        surrogate = graph.constant(float(surrogates[column]))
        graph.written[output] = graph.add("Where", graph.add("IsNaN", value), surrogate, value)


def _assemble(stage: Stage, graph: StageGraph) -> None:
    columns = stage.columns("input")
    parts = [graph.named(column) for column in columns]
    whole = graph.add("Concat", *parts, axis=1)
    if _refuses_what_it_does_not_know(stage) and graph.unfilled.intersection(columns):
        graph.unanswerable.append(graph.any_of(graph.add("IsNaN", whole)))
    graph.put(stage.parameters["outputCol"], whole, *columns)


def _refuses_what_it_does_not_know(stage: Stage) -> bool:
    """True for handleInvalid `error`, False for `keep`. Raises Refused for `skip`, which leaves rows out."""
    if (found := stage.parameters["handleInvalid"]) not in ("error", "keep"):
        raise Refused(f"expected {stage.kind} that answers each row, found handleInvalid '{found}': write 'keep'")
    return bool(found == "error")


def _scaled(stage: Stage, graph: StageGraph, shift: Any, scale: Any, offset: Any = 0.0) -> None:
    """(x - shift) * scale + offset, each a number or of shape (width,)."""
    (column,), (output,) = stage.columns("input"), stage.columns("output")
    value = graph.named(column)
    for operator, by in (("Sub", shift), ("Mul", scale), ("Add", offset)):
        if numpy.any(by != (1.0 if operator == "Mul" else 0.0)):
            value = graph.add(operator, value, graph.constant(by))
    graph.put(output, value, column)


def _inverse(spread: numpy.ndarray, of_none: float) -> numpy.ndarray:
    found = numpy.full_like(spread, of_none)
    numpy.divide(1.0, spread, out=found, where=spread != 0)
    return found


def _standard(stage: Stage, graph: StageGraph) -> None:
    saved = stage.fitted()
    mean, deviation = vector(saved["mean"]), vector(saved["std"])
    scale = _inverse(deviation, 0.0) if stage.parameters["withStd"] else 1.0
    _scaled(stage, graph, mean if stage.parameters["withMean"] else 0.0, scale)


def _robust(stage: Stage, graph: StageGraph) -> None:
    saved = stage.fitted()
    scale = _inverse(vector(saved["range"]), 0.0) if stage.parameters["withScaling"] else 1.0
    _scaled(stage, graph, vector(saved["median"]) if stage.parameters["withCentering"] else 0.0, scale)


def _min_max(stage: Stage, graph: StageGraph) -> None:
    """A column that never changed is in the middle of the new range."""
    saved, low, high = stage.fitted(), float(stage.parameters["min"]), float(stage.parameters["max"])
    least, spread = vector(saved["originalMin"]), vector(saved["originalMax"]) - vector(saved["originalMin"])
    offset = numpy.where(spread != 0, low, (low + high) / 2)
    _scaled(stage, graph, least, (high - low) * _inverse(spread, 0.0), offset)


def _max_abs(stage: Stage, graph: StageGraph) -> None:
    _scaled(stage, graph, 0.0, _inverse(vector(stage.fitted()["maxAbs"]), 1.0))


def _product(stage: Stage, graph: StageGraph) -> None:
    _scaled(stage, graph, 0.0, vector(stage.parameters["scalingVec"]))


def _components(stage: Stage, graph: StageGraph) -> None:
    (column,), (output,) = stage.columns("input"), stage.columns("output")
    weights = graph.constant(matrix(stage.fitted()["pc"]))
    graph.put(output, graph.add("MatMul", graph.named(column), weights), column)


def _slice(stage: Stage, graph: StageGraph) -> None:
    if stage.parameters["names"]:
        raise Refused(f"expected a VectorSlicer with indices only, found names {stage.parameters['names']}")
    _gathered(stage, graph, stage.columns("input")[0], stage.parameters["indices"])


def _select(stage: Stage, graph: StageGraph) -> None:
    """Spark keeps the order of the features, not that of their scores."""
    _gathered(stage, graph, stage.parameters["featuresCol"], sorted(stage.fitted()["selectedFeatures"]))


def _gathered(stage: Stage, graph: StageGraph, column: str, places: list[int]) -> None:
    chosen = graph.add("Gather", graph.named(column), graph.constant(numpy.array(places)), axis=1)
    graph.put(stage.parameters["outputCol"], chosen, column)


def _binarize(stage: Stage, graph: StageGraph) -> None:
    limits = stage.parameters.get("thresholds") or [stage.parameters["threshold"]]
    for column, output, limit in zip(stage.columns("input"), stage.columns("output"), limits, strict=True):
        above = graph.add("Greater", graph.named(column), graph.constant(float(limit)))
        graph.written[output] = graph.add("Cast", above, to=TensorProto.DOUBLE)


def _bucket(stage: Stage, graph: StageGraph) -> None:
    """How many of the inner splits a number has reached; a missing one that is kept has the place behind the last."""
    refuses = _refuses_what_it_does_not_know(stage)
    every = stage.parameters.get("splitsArray") or [stage.parameters["splits"]]
    for column, output, saved in zip(stage.columns("input"), stage.columns("output"), every, strict=True):
        splits = numpy.array([float(split) for split in saved])
        value = graph.named(column)
        reached = graph.add("GreaterOrEqual", value, graph.constant(splits[1:-1]))
        counted = graph.add("Cast", reached, to=TensorProto.DOUBLE)
        place = graph.add("ReduceSum", counted, graph.constant([1]))
        missing = graph.add("IsNaN", value)
        below = graph.add("Less", value, graph.constant(splits[0]))
        graph.unanswerable.append(graph.add("Or", below, graph.add("Greater", value, graph.constant(splits[-1]))))
        if refuses:
            graph.unanswerable.append(missing)
        graph.written[output] = graph.add("Where", missing, graph.constant(float(len(splits) - 1)), place)


FEATURES: dict[str, Callable[[Stage, StageGraph], None]] = {
    "feature.Binarizer": _binarize,
    "feature.Bucketizer": _bucket,
    "feature.ChiSqSelectorModel": _select,
    "feature.ElementwiseProduct": _product,
    "feature.ImputerModel": _impute,
    "feature.MaxAbsScalerModel": _max_abs,
    "feature.MinMaxScalerModel": _min_max,
    "feature.OneHotEncoderModel": _one_hot,
    "feature.PCAModel": _components,
    "feature.RobustScalerModel": _robust,
    "feature.StandardScalerModel": _standard,
    "feature.StringIndexerModel": _index,
    "feature.UnivariateFeatureSelectorModel": _select,
    "feature.VarianceThresholdSelectorModel": _select,
    "feature.VectorAssembler": _assemble,
    "feature.VectorSlicer": _slice,
}
