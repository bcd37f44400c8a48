"""Cells of JSON, each as a text of its own: a string behind a quotation mark as it is, anything else as JSON writes it.
Null is what is absent."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow
import pyarrow.compute as arrow

from services.contract.moments import MOMENTS
from services.contract.release import Column
from services.prediction.batch import csv_cells, typed_cells
from services.prediction.batch.cells import Converted, sure_where

_MARK = '"'
_NULL = "null"


def column_of(cells: Sequence[Any], absent: Any = None) -> pyarrow.Array:
    """The texts of JSON values; half of a surrogate pair, which UTF-8 does not have, is found when it is checked."""
    texts = [None if cell is absent else _written(cell) for cell in cells]
    try:
        return pyarrow.array(texts, pyarrow.string())
    except UnicodeEncodeError:
        raw = [None if text is None else text.encode(errors="surrogatepass") for text in texts]
        return pyarrow.array(raw, pyarrow.binary()).view(pyarrow.string())


def problem(kind: pyarrow.DataType, column: Column) -> str | None:
    return csv_cells.problem(kind, column)


def convert(array: pyarrow.Array, column: Column) -> Converted:
    given = array.cast(pyarrow.string())
    texts = arrow.if_else(arrow.equal(given, _NULL), None, given)
    cells, sure = _CONVERT[column.type](texts, column)
    return Converted(cells, sure_where(cells if column.type == "string" else texts, sure, column))


def values(array: pyarrow.Array, column: Column) -> list[Any]:
    return [_value(text) for text in typed_cells.values(array, column)]


def kept(array: pyarrow.Array) -> pyarrow.Array:
    """A string as it is, anything else as JSON writes it."""
    texts = arrow.if_else(arrow.equal(array, _NULL), None, array)
    return arrow.if_else(_is_string(texts), _without_mark(texts), texts)


def _written(cell: Any) -> str:
    if isinstance(cell, str):
        return _MARK + cell
    # As json.dumps writes it, which takes four times as long.
    return repr(cell) if isinstance(cell, float) and math.isfinite(cell) else json.dumps(cell)


def _value(text: str | None) -> Any:
    if text is None:
        return None
    return text.removeprefix(_MARK) if text.startswith(_MARK) else json.loads(text)


def _is_string(texts: pyarrow.Array) -> pyarrow.Array:
    return arrow.starts_with(texts, _MARK)


def _without_mark(texts: pyarrow.Array) -> pyarrow.Array:
    return arrow.binary_replace_slice(texts.cast(pyarrow.binary()), 0, 1, b"").view(texts.type)


def _text(texts: pyarrow.Array, column: Column) -> Converted:
    string = _is_string(texts)
    cells, sure = typed_cells.convert(arrow.if_else(string, _without_mark(texts), None), column)
    return Converted(cells, arrow.and_(sure, string.fill_null(True)))


def _boolean(texts: pyarrow.Array, column: Column) -> Converted:  # noqa: ARG001  as all of them
    true, false = arrow.equal(texts, "true"), arrow.equal(texts, "false")
    return Converted(true, arrow.or_(true, false))


_CONVERT: dict[str, Callable[[pyarrow.Array, Column], Converted]] = {
    "double": csv_cells.double,
    "long": csv_cells.long,
    "string": _text,
    "boolean": _boolean,
    **dict.fromkeys(MOMENTS, _text),
}
