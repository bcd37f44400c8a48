"""Cells of a row as gates and service hold them, and what each library is given in their place.

A moment is its ISO text, and a cell that is missing is NaN, whatever its column's type.
"""

import math
from collections.abc import Sequence
from typing import Any

from services.contract.moments import MOMENTS, seconds
from services.contract.release import Column


def is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def number(cell: Any, column: Column) -> float:
    """What a graph and Spark are given for all but strings: a moment is its seconds since 1970 in UTC."""
    if is_missing(cell):
        return math.nan
    return seconds(cell) if column.type in MOMENTS else float(cell)


def text(cell: Any) -> str:
    """What a graph and fastText are given for a string: neither knows one that is missing, so it is empty."""
    return "" if is_missing(cell) else cell


def model_type(column: Column) -> str:
    """MLflow's name for what a model is given. A `long` or `boolean` that may be missing is a `double`, because MLflow
    and a DataFrame have no other place for NaN; MLflow has one type for dates and datetimes."""
    if column.type in MOMENTS:
        return "datetime"
    return "double" if not column.required and column.type in ("long", "boolean") else column.type


def columns_of(rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[tuple[Any, ...]]:
    """The cells of each column; empty ones when there is no row."""
    return list(zip(*rows, strict=True)) or [()] * len(inputs)
