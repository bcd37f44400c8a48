"""The exam: hold-out rows as plain values, questions apart from answers."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.contract.model_config import Data

_CONVERT: dict[str, Callable[[str], Any]] = {
    "double": float,
    "long": int,
    "string": str,
    "boolean": lambda text: text == "True",
}


@dataclass(frozen=True)
class Holdout:
    """`rows` in the order of the declared columns, and the `actual` target of each."""

    rows: list[list[Any]]
    actual: list[float]


def read_holdout(path: Path, data: Data) -> Holdout:
    """Raises Refused when a column is missing or a value has another type."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header != [*data.columns, data.target]:
            raise Refused(f"{path}: expected columns {', '.join([*data.columns, data.target])}; found {header}")
        convert = [_CONVERT[kind] for kind in data.columns.values()]
        rows = list(reader)
    try:
        questions = [[to(text) for to, text in zip(convert, row, strict=False)] for row in rows]
        return Holdout(questions, [float(row[-1]) for row in rows])
    except ValueError as error:
        raise Refused(f"{path}: expected values of the declared types, found: {error}") from error
