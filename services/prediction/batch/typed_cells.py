"""Cells that have types, as Parquet and Spark hold them: each is what JSON would have in its place.

| Arrow | in its place in JSON |
|---|---|
| whole numbers, float16 to float64 | a number |
| decimals | a number: a whole one without digits behind the point, else the nearest double |
| texts, in a dictionary or not | a string |
| booleans | true or false |
| dates and timestamps | an ISO text, which without a zone is in UTC |
| null | null |

So a whole number is taken for a double, and 3.0 for a whole number; no number is taken for a text. Null is what is left
out, and so is NaN where a value may be; elsewhere it is no number.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.compute as arrow
from pyarrow import types

from services.contract.moments import MOMENTS, moment_text
from services.contract.release import Column
from services.prediction.batch.cells import Converted, all_of, by_distinct, sure_where

_EXPECTED = {
    "double": "numbers",
    "long": "numbers",
    "string": "texts",
    "boolean": "booleans",
    "date": "dates, timestamps or texts",
    "datetime": "dates, timestamps or texts",
}
_WHOLE = 2.0**63
# Below, each whole number is a double of its own.
EXACT = 2.0**53


def problem(kind: pyarrow.DataType, column: Column) -> str | None:
    if types.is_null(kind) or _TAKES[column.type](inner(kind)):
        return None
    return f"column '{column.name}': expected {_EXPECTED[column.type]}, found {kind}"


def convert(array: pyarrow.Array, column: Column) -> Converted:
    plain = _plain(array)
    if types.is_null(plain.type):
        plain = plain.cast(_OF_NULLS[column.type])
    cells, sure = _CONVERT[column.type](plain, column)
    return Converted(cells, sure_where(cells if column.type == "string" else plain, sure, column))


def values(array: pyarrow.Array, column: Column) -> list[Any]:  # noqa: ARG001  of the protocol
    """Of whichever column."""
    plain = _plain(array)
    kind = plain.type
    if types.is_timestamp(kind):
        # Without its zone, because the names of zones are not known on every machine.
        return list(plain.cast(pyarrow.int64()).cast(pyarrow.timestamp(kind.unit)).cast(pyarrow.string()).to_pylist())
    if types.is_date(kind):
        return [None if day is None else str(day) for day in plain.cast(pyarrow.date32()).cast("string").to_pylist()]
    if types.is_decimal(kind):
        return [_number(value) for value in plain.to_pylist()]
    if is_text(kind):
        return [_decoded(value) for value in plain.cast(pyarrow.large_binary()).to_pylist()]
    if types.is_floating(kind):
        return list(plain.cast(pyarrow.float64()).to_pylist())
    return list(plain.to_pylist())


def kept(array: pyarrow.Array) -> pyarrow.Array:
    return array


def _number(value: Decimal | None) -> float | None:
    if value is None:
        return None
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)


def _decoded(value: bytes | None) -> str | None:
    """What is no UTF-8 becomes halves of surrogate pairs, which no text of Unicode has."""
    return None if value is None else value.decode(errors="surrogateescape")


def inner(kind: pyarrow.DataType) -> pyarrow.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def _plain(array: pyarrow.Array) -> pyarrow.Array:
    return array.dictionary_decode() if types.is_dictionary(array.type) else array


def _is_number(kind: pyarrow.DataType) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def is_text(kind: pyarrow.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_moment(kind: pyarrow.DataType) -> bool:
    return bool(is_text(kind) or types.is_date(kind) or types.is_timestamp(kind))


def _double(array: pyarrow.Array, column: Column) -> Converted:
    return _or_left_out(_doubles(array), column, lambda numbers: Converted(numbers, arrow.is_finite(numbers)))


def _or_left_out(numbers: pyarrow.Array, column: Column, convert: Callable[[pyarrow.Array], Converted]) -> Converted:
    """NaN is null where that may be, as it is online."""
    if column.required:
        return convert(numbers)
    left_out = arrow.is_nan(numbers)
    cells, sure = convert(arrow.if_else(left_out, None, numbers))
    return Converted(cells, arrow.or_kleene(sure, left_out))


def _doubles(array: pyarrow.Array) -> pyarrow.Array:
    # The nearest double, which Arrow's own conversion of decimals may miss by its last digit.
    given = array.cast(pyarrow.string()) if types.is_decimal(array.type) else array
    return given.cast(pyarrow.float64(), safe=False)


def _long(array: pyarrow.Array, column: Column) -> Converted:
    if types.is_uint64(array.type):
        sure = arrow.less(array, pyarrow.scalar(2**63, pyarrow.uint64()))
        return Converted(array.cast(pyarrow.int64(), safe=False), sure)
    if types.is_integer(array.type):
        return Converted(array.cast(pyarrow.int64()), all_of(array))
    limit = EXACT if types.is_decimal(array.type) else _WHOLE
    return _or_left_out(_doubles(array), column, lambda numbers: whole(numbers, limit))


def whole(numbers: pyarrow.Array, limit: float) -> Converted:
    """Doubles as whole numbers, sure where they are that and within the limit."""
    inside = arrow.and_(arrow.greater_equal(numbers, -limit), arrow.less(numbers, limit))
    sure = arrow.and_(inside, arrow.equal(arrow.floor(numbers), numbers))
    return Converted(arrow.if_else(sure, numbers, None).cast(pyarrow.int64(), safe=False), sure)


def _string(array: pyarrow.Array, column: Column) -> Converted:
    # An empty text is missing where it may be, as it is online.
    texts = array if column.required else arrow.if_else(arrow.equal(array, ""), None, array)
    return Converted(texts, unicode(array))


def unicode(texts: pyarrow.Array) -> pyarrow.Array:
    """Where they are UTF-8, which nobody checks when a file of Parquet is read."""
    binary = texts.cast(pyarrow.large_binary())
    try:
        binary.cast(pyarrow.large_string())
    except pyarrow.ArrowInvalid:
        return pyarrow.array([value is None or _is_unicode(value) for value in binary.to_pylist()])
    return all_of(texts)


def _is_unicode(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _boolean(array: pyarrow.Array, column: Column) -> Converted:  # noqa: ARG001
    return Converted(array, all_of(array))


def _moment(array: pyarrow.Array, column: Column) -> Converted:
    def texts(distinct: pyarrow.Array) -> list[str | None]:
        return [_text(value, column.type) for value in values(distinct, column)]

    cells = by_distinct(array, texts, pyarrow.string())
    known = cells.dictionary.is_valid().take(cells.indices)
    return Converted(cells, known)


def _text(value: str | None, kind: str) -> str | None:
    try:
        return None if value is None else moment_text(value, kind)
    except ValueError:
        return None


_Convert = Callable[[pyarrow.Array, Column], Converted]
_CONVERT: dict[str, _Convert] = {
    "double": _double,
    "long": _long,
    "string": _string,
    "boolean": _boolean,
    **dict.fromkeys(MOMENTS, _moment),
}
_TAKES: dict[str, Callable[[pyarrow.DataType], bool]] = {
    "double": _is_number,
    "long": _is_number,
    "string": is_text,
    "boolean": types.is_boolean,
    **dict.fromkeys(MOMENTS, _is_moment),
}
_OF_NULLS = {
    "double": pyarrow.float64(),
    "long": pyarrow.int64(),
    "string": pyarrow.string(),
    "boolean": pyarrow.bool_(),
    **dict.fromkeys(MOMENTS, pyarrow.string()),
}
