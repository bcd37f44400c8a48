"""The hold-out as plain values: inputs apart from targets, and edge rows that are not in the file."""

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.cells import is_missing
from services.contract.errors import Refused
from services.contract.long_fields import csv_reader
from services.contract.model_config import ModelConfig
from services.contract.moments import moment_text
from services.contract.release import Column
from services.contract.task import TARGETS

Row = list[Any]
_CONVERT: dict[str, Callable[[str], Any]] = {
    "double": float,
    "long": int,
    "string": str,
    "boolean": lambda text: text == "True",
    "date": lambda text: moment_text(text, "date"),
    "datetime": lambda text: moment_text(text, "datetime"),
}
_EXTREMES: dict[str, tuple[Any, ...]] = {
    "double": (0.0, -1e9, 1e9),
    "long": (0, -(10**9), 10**9),
    "date": ("1700-01-01", "2200-12-31"),
    "datetime": ("1700-01-01T00:00:00Z", "2200-12-31T23:59:59.999999Z"),
}
_UNSEEN = "never seen before, \u2603"


@dataclass(frozen=True)
class Holdout:
    """`rows` in the order of the declared columns, the `actual` target of each, and `edges`: rows without one."""

    rows: list[Row]
    actual: list[Any]
    edges: list[Row]


def read_holdout(path: Path, config: ModelConfig) -> Holdout:
    """Raises Refused when a column is missing or a value has another type."""
    data = config.data
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv_reader(file)
        header: list[str] = next(reader, [])
        if header != [*data.columns, data.target]:
            raise Refused(f"{path}: expected columns {', '.join([*data.columns, data.target])}; found {header}")
        lines = list(reader)
    convert = [_reader(column) for column in config.inputs]
    target = _CONVERT[TARGETS[config.task]]
    try:
        rows = [[to(text) for to, text in zip(convert, line, strict=False)] for line in lines]
        actual = [target(line[-1]) for line in lines]
    except ValueError as error:
        raise Refused(f"{path}: expected values of the declared types, found: {error}") from error
    return Holdout(rows, actual, edge_rows(rows, config.inputs))


def _reader(column: Column) -> Callable[[str], Any]:
    to = _CONVERT[column.type]
    return to if column.required else lambda text: to(text) if text else math.nan


def edge_rows(rows: Sequence[Row], inputs: Sequence[Column]) -> list[Row]:
    """What hold-out rows seldom hold: unseen words, missing and extreme values, the longest text, other scripts."""
    return [*_spread(rows, inputs), *(row for row in _odd_texts(rows, inputs) if row)]


def _spread(rows: Sequence[Row], inputs: Sequence[Column]) -> Iterator[Row]:
    """A hold-out row with one value changed, for each column."""
    if not rows:
        return
    template = rows[0]
    for place, column in enumerate(inputs):
        changes: tuple[Any, ...] = _EXTREMES.get(column.type, ())
        if column.type == "string":
            changes = (_UNSEEN, "") if column.required else (_UNSEEN,)
        for value in (*changes, *(() if column.required else (math.nan,))):
            yield [*template[:place], value, *template[place + 1 :]]
    if any(not column.required for column in inputs):
        yield [value if column.required else math.nan for value, column in zip(template, inputs, strict=True)]


def _odd_texts(rows: Sequence[Row], inputs: Sequence[Column]) -> Iterator[Row | None]:
    for place in (place for place, column in enumerate(inputs) if column.type == "string"):
        told = [row for row in rows if not is_missing(row[place])]
        yield max(told, key=lambda row: len(row[place]), default=None)
        yield next((row for row in told if not _is_latin(row[place])), None)


def _is_latin(text: str) -> bool:
    return all(unicodedata.name(letter, "LATIN").startswith("LATIN") for letter in text if letter.isalpha())
