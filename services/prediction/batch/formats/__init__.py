"""The formats of files of rows, one module each: how a file's columns are known, and how its rows are read in parts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import pyarrow

from services.contract.modules import find_module
from services.prediction.batch.cells import Cells

SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
# Rows that are held at once, and about how many bytes.
MOST_ROWS, MOST_BYTES = 16_384, 8_000_000


class Part(NamedTuple):
    """Rows of a file, of which the `spoilt` ones are no rows of the table, for the reasons beside them; `done` is the
    share of the file that was read."""

    rows: pyarrow.RecordBatch
    spoilt: pyarrow.RecordBatch
    reasons: Sequence[str]
    done: float


class Format(Protocol):
    cells: Cells
    # Then files, and rows, may differ in which columns they leave out.
    every_row_names_its_columns: bool

    def schema(self, path: Path) -> pyarrow.Schema:
        """The file's columns. Raises WrongInput for another file."""

    def parts(self, path: Path, schema: pyarrow.Schema) -> Iterator[Part]:
        """The rows in their order. Raises WrongInput where the file is damaged."""


def find_format(name: str) -> Format:
    return cast(Format, find_module("services.prediction.batch.formats", name, "a file of"))
