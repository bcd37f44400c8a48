"""Decoded values as a model takes them: what `column_types.check_rows` makes of the same ones, a column at a time."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from msgspec import UNSET

from services.contract.moments import MOMENTS, moment_text
from services.contract.record import Cell
from services.contract.release import Column

Rows = Sequence[Sequence[Cell]]
Values = Sequence[Any]
Convert = Callable[[Values], Values]


def to_cells(inputs: Sequence[Column], places: Sequence[int | None]) -> Callable[[Sequence[Values]], Rows]:
    """Of rows that have each input at its place, None where it was left out. Raises ValueError for a text that is no
    moment."""
    converters = [_converter(column) for column in inputs]
    if list(places) == list(range(len(inputs))) and not any(converters):
        return _as_they_are
    return partial(_converted, places, converters)


def _as_they_are(rows: Sequence[Values]) -> Rows:
    return rows


def _converted(places: Sequence[int | None], converters: Sequence[Convert | None], rows: Sequence[Values]) -> Rows:
    if not rows:
        return rows
    columns = list(zip(*rows, strict=True))
    cells: list[Any] = []
    for place, convert in zip(places, converters, strict=True):
        if place is None:
            cells.append(repeat(math.nan, len(rows)))
        else:
            cells.append(convert(columns[place]) if convert else columns[place])
    return list(zip(*cells, strict=True))


def _converter(column: Column) -> Convert | None:
    """None for a type that stays as it is."""
    if column.type in MOMENTS:
        return partial(_moments, column)
    if column.required:
        return None
    return partial(_missing_as_nan, (None, UNSET, "") if column.type == "string" else (None, UNSET))


def _moments(column: Column, values: Values) -> Values:
    return [math.nan if value is None or value is UNSET else moment_text(value, column.type) for value in values]


def _missing_as_nan(missing: tuple[Any, ...], values: Values) -> Values:
    return [math.nan if value in missing else value for value in values]
