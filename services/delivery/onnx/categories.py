"""scikit-learn's encoders of categories as tables: what the encoder itself answers for each category, once."""

import warnings
from typing import Any

import numpy
from onnx import TensorProto
from sklearn.preprocessing import OneHotEncoder

from services.delivery.onnx.estimator_graph import UNKNOWN_TEXT, EstimatorGraph, NotWrittenError, Part

_MOST_CELLS = 4_000_000


def write_encoder(graph: EstimatorGraph, encoder: Any, parts: list[Part]) -> list[Part]:
    """Each column by itself. A category that the encoder refuses makes the row one that is refused."""
    columns, written, start = graph.columns(parts), [], 0
    for place, (column, categories) in enumerate(zip(columns, encoder.categories_, strict=True)):
        width = _width(encoder, place)
        asked = _asked(encoder, place, categories)
        known = asked[:-1, start : start + width]
        unknown = _unknown(encoder, slice(start, start + width), place)
        found = _place(graph, column, categories)
        if unknown is None:
            stranger = graph.add("Equal", found, graph.constant(len(categories)))
            graph.refuse_where(graph.add("Unsqueeze", stranger, graph.constant([1])))
            unknown = numpy.zeros((1, width))
        written.append(Part(_looked_up(graph, encoder, found, numpy.vstack([known, unknown])), width))
        start += width
    return [part for part in written if part.width]


def _width(encoder: Any, place: int) -> int:
    if isinstance(encoder, OneHotEncoder):
        return int(encoder._n_features_outs[place])
    return len(encoder.classes_) if getattr(encoder, "target_type_", "") == "multiclass" else 1


def _asked(encoder: Any, place: int, categories: Any) -> numpy.ndarray:
    """The encoder's answers for each category of one column, and for the first again."""
    if len(categories) * sum(map(len, encoder.categories_)) > _MOST_CELLS:
        raise NotWrittenError(f"{len(categories)} categories of a column make too large a table")
    rows = [[kinds[0] for kinds in encoder.categories_] for _ in (*categories, None)]
    for row, category in zip(rows, categories, strict=False):
        row[place] = category
    return _answers(encoder, rows)


def _answers(encoder: Any, rows: list[list[Any]]) -> numpy.ndarray:
    numbers = all(kinds.dtype.kind in "fiub" for kinds in encoder.categories_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = encoder.transform(numpy.array(rows, dtype=float if numbers else object))
    return numpy.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=float)


def _unknown(encoder: Any, columns: slice, place: int) -> numpy.ndarray | None:
    """What the encoder answers for a category that it does not know, None when it refuses."""
    row = [kinds[0] for kinds in encoder.categories_]
    row[place] = _stranger(encoder.categories_[place])
    try:
        return _answers(encoder, [row])[:, columns]
    except ValueError:
        return None


def _stranger(categories: Any) -> Any:
    numbers = [float(each) for each in categories if not isinstance(each, str) and each is not None]
    known = [each for each in numbers if numpy.isfinite(each)]
    return UNKNOWN_TEXT if any(isinstance(each, str) for each in categories) else max(known, default=0.0) + 1.5


def _place(graph: EstimatorGraph, column: Part, categories: Any) -> str:
    """Of each row's category, the number of categories for one that is not known; int64 of shape (rows,)."""
    if column.words:
        # Where scikit-learn is given NaN, the graph has the empty string of an optional column.
        absent = "" if column.optional else UNKNOWN_TEXT
        keys: list[Any] = [each if isinstance(each, str) else absent for each in categories]
        found = graph.add(
            "LabelEncoder",
            column.tensor,
            domain="ai.onnx.ml",
            keys_strings=keys,
            values_int64s=range(len(keys)),
            default_int64=len(categories),
        )
        return graph.add("Reshape", found, graph.constant([-1]))
    numbers = numpy.array([numpy.nan if each is None else float(each) for each in categories])
    missing = graph.add("And", graph.add("IsNaN", column.tensor), graph.constant(numpy.isnan(numbers)[None]))
    equal = graph.add("Or", graph.add("Equal", column.tensor, graph.constant(numbers[None])), missing)
    scores = graph.add("Cast", equal, to=TensorProto.DOUBLE)
    with_unknown = graph.add("Concat", scores, graph.filled(0.5, column.tensor), axis=1)
    return graph.add("ArgMax", with_unknown, axis=1, keepdims=0)


def _looked_up(graph: EstimatorGraph, encoder: Any, places: str, table: numpy.ndarray) -> str:
    if not isinstance(encoder, OneHotEncoder) or table.shape[1] < 50:
        return graph.add("Gather", graph.constant(table), places)
    # A row has at most one 1, so that its place says all: the table of many categories would be large.
    ones = numpy.where(table.any(axis=1), table.argmax(axis=1), table.shape[1])
    column = graph.add("Unsqueeze", graph.add("Gather", graph.constant(ones), places), graph.constant([1]))
    return graph.add("Cast", graph.add("Equal", column, graph.constant([range(table.shape[1])])), to=TensorProto.DOUBLE)
