"""JSON lines: an object a line, by the rules of a request's body. What is no such object is no row."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow

from services.prediction.batch import json_cells
from services.prediction.batch.failure import WrongInput
from services.prediction.batch.formats import MOST_BYTES, MOST_ROWS, Part
from services.prediction.bodies.json_body import read_json
from services.prediction.invalid import Invalid

cells = json_cells
every_row_names_its_columns = True
_FIRST = 100
# Of UTF-8, which some programs write before anything else.
_MARK = b"\xef\xbb\xbf"


def schema(path: Path) -> pyarrow.Schema:
    """The columns of the first objects: each may leave out what is null. The first line must be an object."""
    with path.open("rb") as file:
        lines = islice((line for line in file if line.strip()), _FIRST)
        if not (first := next(lines, None)):
            raise WrongInput(f"{path}: expected JSON lines, an object a line, found no line")
        found = dict.fromkeys(_object(path, first.removeprefix(_MARK)))
        for line in lines:
            with contextlib.suppress(Invalid):
                found.update(dict.fromkeys(read_json(line)))
    return pyarrow.schema([(name, pyarrow.string()) for name in found])


def parts(path: Path, schema: pyarrow.Schema) -> Iterator[Part]:
    size = path.stat().st_size
    with path.open("rb") as file:
        while lines := list(_few(file)):
            yield _part([line for line in lines if line.strip()], schema, file.tell() / size)


def _object(path: Path, line: bytes) -> dict[str, Any]:
    try:
        return read_json(line)
    except Invalid as refusal:
        raise WrongInput(f"{path}: expected JSON lines, an object a line; the first line: {refusal}") from refusal


def _few(file: BinaryIO) -> Iterator[bytes]:
    held = rows = 0
    while held < MOST_BYTES and rows < MOST_ROWS and (line := file.readline()):
        yield line.removeprefix(_MARK) if file.tell() == len(line) else line
        held, rows = held + len(line), rows + 1


def _part(lines: Sequence[bytes], schema: pyarrow.Schema, done: float) -> Part:
    rows, spoilt, reasons = list[dict[str, Any]](), list[dict[str, Any]](), list[str]()
    for line in lines:
        try:
            rows.append(read_json(line))
        except Invalid as refusal:
            spoilt.append({schema.names[0]: line.decode(errors="replace").rstrip("\n")})
            reasons.append(str(refusal))
    return Part(_batch(rows, schema), _batch(spoilt, schema), reasons, done)


def _batch(rows: Sequence[dict[str, Any]], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    columns = [json_cells.column_of([row.get(name, _ABSENT) for row in rows], _ABSENT) for name in schema.names]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


_ABSENT = object()
