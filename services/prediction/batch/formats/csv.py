"""CSV by the rules of a request's body: UTF-8, a first line of names, empty lines left out, every cell a text."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow

from services.contract.long_fields import csv_reader
from services.prediction.batch import csv_cells
from services.prediction.batch.failure import WrongInput
from services.prediction.batch.formats import MOST_BYTES, MOST_ROWS, Part

cells = csv_cells
every_row_names_its_columns = False


def schema(path: Path) -> pyarrow.Schema:
    with _opened(path) as (_, lines):
        if not (header := next(lines, None)):
            raise WrongInput(f"{path}: expected CSV whose first line has the columns' names, found no line")
        return pyarrow.schema([(name, pyarrow.string()) for name in header])


def parts(path: Path, schema: pyarrow.Schema) -> Iterator[Part]:
    size = path.stat().st_size
    with _opened(path) as (file, lines):
        next(lines)
        while taken := list(_few(lines)):
            yield _part(taken, schema, min(1.0, file.buffer.tell() / size))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[TextIO, Iterator[list[str]]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv_reader(file, strict=True)
        try:
            yield file, (line for line in reader if line)
        except (csv.Error, UnicodeDecodeError) as error:
            said = f"{path}: expected CSV in UTF-8, found something else after line {reader.line_num}"
            raise WrongInput(f"{said}: {error}") from error


def _few(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    held = 0
    for line in islice(lines, MOST_ROWS):
        yield line
        held += sum(map(len, line))
        if held > MOST_BYTES:
            return


def _part(lines: list[list[str]], schema: pyarrow.Schema, done: float) -> Part:
    width = len(schema)
    spoilt = [line for line in lines if len(line) != width]
    whole = [line for line in lines if len(line) == width] if spoilt else lines
    reasons = [f"expected a list of {width} values, found a list of {len(line)}" for line in spoilt]
    padded = [[*line, *[None] * width][:width] for line in spoilt]
    return Part(_batch(whole, schema), _batch(padded, schema), reasons, done)


def _batch(lines: Sequence[Sequence[Any]], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    columns = zip(*lines, strict=True) if lines else ((),) * len(schema)
    return pyarrow.RecordBatch.from_arrays([pyarrow.array(one, pyarrow.string()) for one in columns], schema=schema)
