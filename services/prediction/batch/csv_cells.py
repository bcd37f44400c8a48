"""Cells that are texts, as CSV has them: what a text stands for is what `csv_body` says, and what is plain is read in
one go. A null is an empty text."""

from collections.abc import Callable
from typing import Any

import pyarrow
import pyarrow.compute as arrow
from pyarrow import types

from services.contract.moments import MOMENTS
from services.contract.release import Column
from services.prediction.batch import typed_cells
from services.prediction.batch.cells import Converted, sure_where
from services.prediction.bodies.csv_body import cell, missing

# Few enough digits that it is finite, and none of what only one of Python and Arrow takes.
_PLAIN = r"^-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$"
_TRUE, _FALSE = pyarrow.array(["true", "True", "TRUE"]), pyarrow.array(["false", "False", "FALSE"])


def problem(kind: pyarrow.DataType, column: Column) -> str | None:
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return None
    return f"column '{column.name}': expected texts, as CSV has them, found {kind}"


def convert(array: pyarrow.Array, column: Column) -> Converted:
    given = array.cast(pyarrow.string()) if types.is_null(array.type) else array
    texts = arrow.if_else(arrow.is_in(given, pyarrow.array(missing(column), given.type)), None, given)
    cells, sure = _CONVERT[column.type](texts, column)
    return Converted(cells, sure_where(texts, sure, column))


def values(array: pyarrow.Array, column: Column) -> list[Any]:
    return [None if text is None else cell(text, column) for text in typed_cells.values(array, column)]


def kept(array: pyarrow.Array) -> pyarrow.Array:
    return array


def double(texts: pyarrow.Array, column: Column) -> Converted:  # noqa: ARG001  as all of them
    plain = arrow.match_substring_regex(texts, _PLAIN)
    return Converted(arrow.if_else(plain, texts, None).cast(pyarrow.float64()), plain)


def long(texts: pyarrow.Array, column: Column) -> Converted:
    return typed_cells.whole(double(texts, column).cells, typed_cells.EXACT)


def _boolean(texts: pyarrow.Array, column: Column) -> Converted:  # noqa: ARG001
    true, false = arrow.is_in(texts, _TRUE.cast(texts.type)), arrow.is_in(texts, _FALSE.cast(texts.type))
    return Converted(arrow.if_else(texts.is_valid(), true, None), arrow.or_(true, false))


_CONVERT: dict[str, Callable[[pyarrow.Array, Column], Converted]] = {
    "double": double,
    "long": long,
    "string": typed_cells.convert,
    "boolean": _boolean,
    **dict.fromkeys(MOMENTS, typed_cells.convert),
}
