"""The slices of a hold-out: rows that are alike in a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from services.contract.cells import columns_of, is_missing, number
from services.contract.gates import SliceGate
from services.contract.model_config import ModelConfig
from services.contract.release import Column
from services.contract.task import TARGETS
from services.delivery.statistics.intervals import Group

_IN_ORDER = ("double", "long", "date", "datetime")
_LONGEST = 40

# The names of groups, and the place of each row's group in them.
_Named = tuple[list[str], numpy.ndarray]


@dataclass(frozen=True)
class Slices:
    """Of one column: `groups` have enough rows to be judged, `small` have fewer, with how many rows each has."""

    column: str
    groups: tuple[Group, ...]
    small: dict[str, int]


def everything(rows: Sequence[Any]) -> Group:
    return Group(None, numpy.ones(len(rows), dtype=bool))


def slices_of(config: ModelConfig, rows: Sequence[Sequence[Any]], actual: Sequence[Any]) -> list[Slices]:
    """Of each column in `gates.slices`: a slice for each text, boolean or label, one for each of some ranges of numbers
    or moments that have about as many rows, and one for the rows in which it is missing."""
    cells = dict(zip(config.data.columns, columns_of(rows, config.inputs), strict=True))
    cells[config.data.target] = tuple(actual)
    columns = {column.name: column for column in (*config.inputs, _target(config))}
    return [_slices(columns[name], cells[name], gate) for name, gate in config.gates.slices.items()]


def _target(config: ModelConfig) -> Column:
    """A label of 0 or 1 is no number to be cut into ranges."""
    labels = config.task == "binary-classification"
    return Column(name=config.data.target, type="string" if labels else TARGETS[config.task])


def _slices(column: Column, cells: Sequence[Any], gate: SliceGate) -> Slices:
    missing = numpy.array([is_missing(cell) for cell in cells], dtype=bool)
    told = [cell for cell in cells if not is_missing(cell)]
    names, places = _ranges(column, told, gate.quantiles) if column.type in _IN_ORDER else _values(column, told)
    of_rows = numpy.full(len(cells), len(names))
    of_rows[~missing] = places
    names = [*names, f"{column.name} missing"]
    counts = numpy.bincount(of_rows, minlength=len(names)).tolist()
    enough = [place for place, count in enumerate(counts) if count >= gate.min_rows]
    small = {name: count for name, count in zip(names, counts, strict=True) if 0 < count < gate.min_rows}
    return Slices(column.name, tuple(Group(names[place], of_rows == place) for place in enough), small)


def _values(column: Column, cells: Sequence[Any]) -> _Named:
    found, places = numpy.unique(numpy.array([str(cell) for cell in cells], dtype=object), return_inverse=True)
    return [f"{column.name} = {_short(value)}" for value in found.tolist()], places


def _short(text: str) -> str:
    return repr(text) if not text.strip() else text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _ranges(column: Column, cells: Sequence[Any], quantiles: int) -> _Named:
    """Up to `quantiles` of them, each from behind the bound of the one before to its own, which is a value of a row: a
    value that many rows have is never divided."""
    if not cells:
        return [], numpy.array([], dtype=int)
    values = numpy.array([number(cell, column) for cell in cells])
    shown = dict(zip(values.tolist(), map(_number, cells), strict=True))
    bounds = numpy.unique(numpy.quantile(values, numpy.arange(1, quantiles + 1) / quantiles, method="inverted_cdf"))
    words = [shown[bound] for bound in bounds.tolist()]
    ends = zip([None, *words[:-1]], [*words[:-1], None], strict=True)
    return [_range(column.name, above, to) for above, to in ends], numpy.searchsorted(bounds, values)


def _number(cell: Any) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _range(name: str, above: str | None, to: str | None) -> str:
    if to is None:
        return f"{name} > {above}" if above else f"{name}, all values"
    return f"{above} < {name} ≤ {to}" if above else f"{name} ≤ {to}"
