"""Reads a CSV file as texts, each with its line number, so that an error can name the line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.errors import Refused


@dataclass(frozen=True)
class Table:
    """`lines` has the line number on which each row begins, from 1; `columns` has the texts of each row, by header."""

    path: Path
    lines: list[int]
    columns: dict[str, list[str]]


def read_table(path: Path, wanted: Sequence[str], also: str | None = None) -> Table:
    """The wanted columns of a UTF-8 file with a header, and the one `also` where it has it; other columns are ignored.

    Raises Refused, naming the column that is missing or the line that is broken.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(path, csv.reader(file, strict=True), wanted, also)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: expected a CSV file with a header, cannot read it: {error}") from error


def _read(path: Path, reader: Any, wanted: Sequence[str], also: str | None) -> Table:
    records = _records(path, reader)
    _, header = next(records, (1, []))
    places = _places(path, header, wanted, also)
    table = Table(path, [], {name: [] for name in places})
    for line, record in records:
        if len(record) != len(header):
            raise Refused(f"{path}:{line}: expected {len(header)} fields, found {len(record)}")
        table.lines.append(line)
        for name, place in places.items():
            table.columns[name].append(record[place])
    return table


def _records(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it begins on, because a quoted field may span several; empty lines are skipped."""
    line = 1
    try:
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise Refused(f"{path}:{line}: expected CSV, found: {error}") from error


def _places(path: Path, header: list[str], wanted: Sequence[str], also: str | None) -> dict[str, int]:
    if not header:
        raise Refused(f"{path}: expected a CSV file with a header, found it empty")
    if missing := [column for column in wanted if column not in header]:
        raise Refused(f"{path}: expected columns {', '.join(wanted)}; missing: {', '.join(missing)}")
    taken = [*wanted, *([also] if also in header and also not in wanted else [])]
    if twice := [column for column in taken if header.count(column) > 1]:
        raise Refused(f"{path}: expected each column once, found '{twice[0]}' {header.count(twice[0])} times")
    return {column: header.index(column) for column in taken}
