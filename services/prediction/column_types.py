"""Checks the values of the column types; none is converted, because a service must not guess what is meant.

A moment may be written in several ways, which are one text to a model.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from services.contract.cells import is_missing
from services.contract.moments import EXAMPLES, moment_text
from services.contract.record import Cell
from services.contract.release import Column
from services.prediction.invalid import describe, refuse_if

_LONG = range(-(2**63), 2**63)


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, found {describe(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("expected a finite number, found NaN, an infinity or a number too large")
    return number


def _long(value: Any) -> int:
    """1.0 is a whole number as well: JSON has one kind of number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, found {describe(value)}")
    if value not in _LONG:
        raise ValueError("expected a whole number of 64 bits, found a larger one")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, found {describe(value)}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("expected a string of Unicode text, found half of a surrogate pair")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {describe(value)}")
    return value


def _moment(value: Any, kind: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a {kind} such as {json.dumps(EXAMPLES[kind])}, found {describe(value)}")
    return moment_text(value, kind)


KINDS: dict[str, Callable[[Any], Cell]] = {
    "double": _double,
    "long": _long,
    "string": _string,
    "boolean": _boolean,
    "date": partial(_moment, kind="date"),
    "datetime": partial(_moment, kind="datetime"),
}


def check_rows(rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[list[Cell]]:
    """`rows` in the order of `inputs`. Raises Invalid, naming row and column."""
    checked: list[list[Cell]] = []
    refuse_if(_check(rows, inputs, checked))
    return checked


def _check(rows: Sequence[Sequence[Any]], inputs: Sequence[Column], checked: list[list[Cell]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        cells: list[Cell] = []
        for column, value in zip(inputs, row, strict=True):
            try:
                cells.append(_cell(value, column))
            except ValueError as error:
                yield f"row {number}, column '{column.name}': {error}"
        checked.append(cells)


def _cell(value: Any, column: Column) -> Cell:
    return math.nan if not column.required and _is_left_out(value, column.type) else KINDS[column.type](value)


def _is_left_out(value: Any, kind: str) -> bool:
    """NaN is what pandas, and so MLflow's clients, have in the place of a value that is missing."""
    # An empty text is missing in the training data, where a file has no other way to say so.
    return is_missing(value) or (value == "" and kind == "string")
