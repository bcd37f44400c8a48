"""Reads a CSV file as texts, each with its line number, so that an error can name the line."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from services.contract.errors import Refused
from services.contract.long_fields import csv_reader
from services.contract.text_file import open_text

_DELIMITERS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
# What Excel writes, and reads, on a line before the header.
_EXCEL_MARK = re.compile(r"sep=(.)\r?\n?")
_WHAT = "a CSV file with a header"
_SHOWN = 60
Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Table:
    """`lines` has the line number on which each row begins, from 1; `columns` has the texts of each row, by header."""

    path: Path
    lines: list[int]
    columns: dict[str, list[str]]


def read_table(path: Path, wanted: Sequence[str], also: str | None = None) -> Table:
    """The wanted columns of a UTF-8 file with a header, and the one `also` where it has it; other columns are ignored.

    Fields are separated by the first of `,` `;` tab and `|` under which the header has the wanted columns.
    Raises Refused, naming the column that is missing or the line that is broken.
    """
    delimiter, header = _header(path, wanted)
    places = _places(path, header, wanted, also)
    table = Table(path, [], {name: [] for name in places})
    records = _records(path, delimiter, strict=True)
    next(records)
    for line, record in records:
        if len(record) != len(header):
            raise Refused(f"{path}:{line}: {_other_length(record, len(header), delimiter)}")
        table.lines.append(line)
        for name, place in places.items():
            table.columns[name].append(record[place])
    return table


def _header(path: Path, wanted: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter under which the header has most of the wanted columns, and the header as it is then."""
    headers = {delimiter: _named(path, delimiter, wanted) for delimiter in _DELIMITERS}
    return max(headers.items(), key=lambda found: len(set(wanted).intersection(found[1])))


def _named(path: Path, delimiter: str, wanted: Sequence[str]) -> list[str]:
    """The names of the columns, without spaces around them, unless they are wanted so."""
    _, header = next(_records(path, delimiter, strict=False), (1, []))
    return [name if name in wanted else name.strip() for name in header]


def _records(path: Path, delimiter: str, strict: bool) -> Iterator[Record]:
    """Each record with the line that it begins on, because a quoted field may span several; empty lines are skipped."""
    with open_text(path, _WHAT) as lines:
        first = next(lines, "")
        before = 1 if _EXCEL_MARK.fullmatch(first) else 0
        reader = csv_reader(lines if before else chain([first], lines), delimiter=delimiter, strict=strict)
        line = 1 + before
        try:
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + before + 1
        except csv.Error as error:
            raise Refused(f"{path}:{line}: {_broken(error, line, reader.line_num + before)}") from error


def _broken(error: csv.Error, first: int, last: int) -> str:
    if first == last:
        return f"expected CSV, found: {error}"
    return (
        f"expected the end of the field whose quote opens in this row, found none up to line {last} ({error}): close "
        'it, and write a quote inside of a field twice ("")'
    )


def _other_length(record: list[str], expected: int, delimiter: str) -> str:
    said = f"expected {expected} fields, found {len(record)}"
    if len(record) < expected:
        return said
    if not any(record[expected:]):
        return f"{said}, the last one empty: remove {_DELIMITERS[delimiter]} at the end of the row"
    return f"{said}: quote a field that has {_DELIMITERS[delimiter]} in it, and name every column in the header"


def _places(path: Path, header: list[str], wanted: Sequence[str], also: str | None) -> dict[str, int]:
    if not header:
        raise Refused(f"{path}: expected {_WHAT}, found it empty")
    if missing := [column for column in wanted if column not in header]:
        raise Refused(
            f"{path}: expected columns {', '.join(wanted)}; missing: {', '.join(missing)}{_instead(header, missing)}"
        )
    taken = [*wanted, *([also] if also in header and also not in wanted else [])]
    if twice := [column for column in taken if header.count(column) > 1]:
        raise Refused(f"{path}: expected each column once, found '{twice[0]}' {header.count(twice[0])} times")
    return {column: header.index(column) for column in taken}


def _instead(header: list[str], missing: list[str]) -> str:
    """What was found that may have been meant."""
    if len(header) == 1 and "\n" in header[0]:
        return "; found a quote in the header that is not closed in its line"
    if len(header) == 1:
        return f"; found one column, '{header[0][:_SHOWN]}': separate fields by , ; | or a tab"
    wanted = {name.casefold() for name in missing}
    alike = [name for name in header if name.casefold() in wanted]
    if alike:
        return f"; found {', '.join(alike)}: write them as model.yaml does"
    return f"; found the header {' '.join(', '.join(header).split())[:_SHOWN]}"
