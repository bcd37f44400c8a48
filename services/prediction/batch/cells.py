"""Columns of Arrow on their way to a model: which cells the online service would surely take, and as what.

There is a module for each way in which rows are written. Where a cell is not sure, the online service's own check is
asked, so a conversion may be careful, and must never be wrong.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pyarrow
import pyarrow.compute as arrow

from services.contract.release import Column


class Converted(NamedTuple):
    """`cells` are double, int64, text or boolean by the column's type, and of moments a dictionary of their ISO texts;
    null where an optional one is left out, and whatever it may be where it is not `sure`."""

    cells: pyarrow.Array
    sure: pyarrow.BooleanArray


class Cells(Protocol):
    """How the cells of a batch are written."""

    def problem(self, kind: pyarrow.DataType, column: Column) -> str | None:
        """What is wrong with the type of a whole column, if anything."""

    def convert(self, array: pyarrow.Array, column: Column) -> Converted:
        """Of a column of the batch."""

    def values(self, array: pyarrow.Array, column: Column) -> list[Any]:
        """What JSON would have in the place of each cell."""

    def kept(self, array: pyarrow.Array) -> pyarrow.Array:
        """As the column stands in the output, of the same type."""


def sure_where(values: pyarrow.Array, sure: pyarrow.Array, column: Column) -> pyarrow.Array:
    """What is missing is sure where it may be."""
    return arrow.if_else(values.is_valid(), sure, pyarrow.scalar(not column.required)).fill_null(False)


def all_of(values: pyarrow.Array) -> pyarrow.Array:
    return pyarrow.repeat(pyarrow.scalar(True), len(values))


def by_distinct(array: pyarrow.Array, change: Callable[[pyarrow.Array], list[Any]], kind: Any) -> pyarrow.Array:
    """A dictionary of what `change` makes of each distinct value; null for None."""
    encoded = array.dictionary_encode()
    return pyarrow.DictionaryArray.from_arrays(encoded.indices, pyarrow.array(change(encoded.dictionary), kind))
