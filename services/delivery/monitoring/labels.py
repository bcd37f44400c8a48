"""Labels that came later: a file of `request_id`, `row` and the target, or of a key column and the target."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.cells import is_missing
from services.contract.errors import Refused
from services.contract.long_fields import csv_reader
from services.contract.task import TARGETS, Task

_REQUEST, _ROW, _LABEL = "request_id", "row", "label"
_TRUTH = {"true": 1, "false": 0}


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _nought_or_one(text: str) -> int:
    number = _TRUTH.get(text.lower(), text)
    if float(number) not in (0, 1):
        raise ValueError
    return int(float(number))


_CONVERT: dict[str, Callable[[str], Any]] = {"double": _number, "string": str, "long": _nought_or_one}


class NoLabels:
    """Where no file is given."""

    unmatched = 0

    def of(self, request_id: str, place: int, row: Sequence[Any] | None) -> Iterable[Any]:  # noqa: ARG002
        return ()


@dataclass
class Labels:
    """By the id of the request and the place of the row in it, or by the value of a column, which is at `key`."""

    known: dict[int, Any]
    key: int | None = None

    @property
    def unmatched(self) -> int:
        return len(self.known)

    def of(self, request_id: str, place: int, row: Sequence[Any] | None) -> Iterable[Any]:
        """The label of a logged row, if it has come; of one that was asked twice only once."""
        if self.key is None:
            name = short(request_id, place)
        elif row is None or is_missing(row[self.key]):
            return ()
        else:
            name = short(str(row[self.key]))
        return (self.known.pop(name),) if name in self.known else ()


def short(*name: str | int) -> int:
    """64 bits in place of texts: a million names of each side meet by chance in one of 10^7 files."""
    return hash(name)


def read_labels(path: Path, task: Task, target: str, key: str | None, columns: Sequence[str]) -> Labels:
    """Lines whose label is empty are of rows whose label is still to come.

    Raises Refused, naming the column that is missing or the line that is wrong.
    """
    if key is not None and key not in columns:
        raise Refused(f"--key: expected one of the model's columns {', '.join(columns)}, found '{key}'")
    known: dict[int, Any] = {}
    lines = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    for number, line in enumerate(lines, start=2):
        name, label = _named(path, line, key, target)
        try:
            place = int(line.get(_ROW) or 0)
            if label:
                known[short(name, place) if key is None else short(name)] = _CONVERT[TARGETS[task]](label)
        except ValueError as error:
            raise Refused(f"{path}:{number}: expected a row and a label as '{target}' has it, found {line}") from error
    return Labels(known, None if key is None else columns.index(key))


def _named(path: Path, line: dict[str, str], key: str | None, target: str) -> tuple[str, str]:
    told = target if target in line else _LABEL
    wanted = (key or _REQUEST, told)
    if missing := [name for name in wanted if name not in line]:
        expected = f"{wanted[0]}, {'' if key else 'row, '}{target} or {_LABEL}"
        raise Refused(f"{path}: expected columns {expected}; missing: {', '.join(missing)}")
    return line[wanted[0]], line[told]


def _csv(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv_reader(file)
            header: list[str] = next(reader, [])
            yield from (dict(zip(header, line, strict=False)) for line in reader if line)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{path}: expected a CSV file with a header, cannot read it: {error}") from error


def _parquet(path: Path) -> Iterator[dict[str, str]]:
    import pyarrow  # only where a file is of this kind
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from (_texts(row) for row in batch.to_pylist())
    except (OSError, pyarrow.ArrowException) as error:
        raise Refused(f"{path}: expected a Parquet file, cannot read it: {error}") from error


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: "" if is_missing(value) else str(value) for name, value in row.items()}
