"""A table in CSV as the same content in JSON: every cell is of the type that its column is declared to have."""

import csv
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

from services.contract.release import Column
from services.prediction.bodies import Table
from services.prediction.invalid import Invalid
from services.prediction.table import count_rows, read_table

_MISSING = ("", "NA")


def read(body: bytes, inputs: Sequence[Column], max_rows: int) -> Table:
    table = read_csv(body, inputs)
    count_rows("csv.data", len(table["data"]), max_rows)
    return Table(read_table(table["columns"], table["data"], inputs))


def read_csv(body: bytes, inputs: Sequence[Column]) -> dict[str, Any]:
    """As `dataframe_split`. Raises Invalid for what is no CSV; a cell of another type stays the text that it is."""
    header, *lines = _lines(body)
    types = {column.name: column for column in inputs}
    known = [types.get(name) for name in header]
    data = [[cell(text, column) for text, column in zip(line, _as_long(known, line), strict=True)] for line in lines]
    return {"columns": header, "data": data}


def _lines(body: bytes) -> list[list[str]]:
    # Else a field ends at 131,072 characters; the bytes of a body have a limit of their own.
    csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        lines = [line for line in reader if line]
    except (ValueError, csv.Error) as error:
        raise Invalid(400, "expected CSV in UTF-8, found something else") from error
    if not lines:
        raise Invalid(400, "expected CSV whose first line has the columns' names, found no line")
    return lines


def _as_long(known: list[Column | None], line: list[str]) -> list[Column | None]:
    """A line that is too short or too long is for others to refuse."""
    return (known + [None] * len(line))[: len(line)]


def missing(column: Column) -> tuple[str, ...]:
    """The texts that stand for nothing there."""
    return tuple(text for text in _MISSING if not (text and column.required))


def cell(text: str, column: Column | None) -> Any:
    """What JSON would have in the place of this text."""
    if column is None:
        return text
    if text in _MISSING and not (text and column.required):
        return None
    try:
        return _CONVERT.get(column.type, str)(text)
    except ValueError:
        return text


def _number(text: str) -> float:
    return float(_written_plainly(text))


def _whole(text: str) -> int | float:
    """A float for what has a point; whether it is whole is for others to say."""
    try:
        return int(_written_plainly(text))
    except ValueError:
        return _number(text)


def _truth(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.strip().lower()]
    except KeyError as error:
        raise ValueError from error


def _written_plainly(text: str) -> str:
    """Python reads 3_750 and digits of any script as numbers, which nobody else does."""
    if "_" in text or not text.isascii():
        raise ValueError
    return text


_CONVERT: dict[str, Callable[[str], Any]] = {"double": _number, "long": _whole, "boolean": _truth}
