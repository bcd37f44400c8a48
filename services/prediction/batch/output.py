"""The folder of an output, which is there as a whole or not at all: its receipt comes last, and only then it is one."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow
from pyarrow import csv, parquet

from services.contract import names
from services.contract.digest import file_sha256
from services.contract.errors import disk_problem, reason
from services.contract.receipt import OutputFile, Receipt
from services.contract.record import write_atomically
from services.prediction.batch.failure import NoOutput

SCORED, REJECTED = "scored", "rejected"
STAGING = ".incomplete"
FORMATS = ("parquet", "csv")
_READABLE = 0o644
_ROWS_A_PART = 1_000_000
_ROWS_A_GROUP, _BYTES_A_GROUP = 32_768, 8_000_000


class Output:
    """Writes into a folder of its own inside of `folder`, and moves all of it to its place at the end. What an earlier
    run left there when it was killed is removed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._staging = folder, folder / STAGING
        self._tables: list[Table] = []

    def __enter__(self) -> Self:
        with _writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            if found := [path.name for path in sorted(self._folder.iterdir()) if path.name != STAGING]:
                raise NoOutput(f"{self._folder}: expected an empty folder, found {found[0]}: choose another --output")
            shutil.rmtree(self._staging, ignore_errors=True)
            self._staging.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._tables:
            table.abandon()
        shutil.rmtree(self._staging, ignore_errors=True)

    def table(self, name: str, schema: pyarrow.Schema, kind: str) -> "Table":
        self._tables.append(Table(self._staging, name, schema, kind))
        return self._tables[-1]

    def commit(self, receipt: Receipt) -> None:
        with _writing(self._folder):
            write_atomically(self._staging / names.RECEIPT_FILE, receipt.to_json().encode(), _READABLE)
            for name in (REJECTED, SCORED, names.RECEIPT_FILE):
                _sync(self._staging / name)
                (self._staging / name).rename(self._folder / name)
                _sync(self._folder)


class Table:
    """One folder of files; at least one, which tells the columns where there is no row."""

    def __init__(self, staging: Path, name: str, schema: pyarrow.Schema, kind: str) -> None:
        self._staging, self._name, self._schema, self._kind = staging, name, schema, kind
        self._writer: Any = None
        self._rows: dict[str, int] = {}
        self._waiting: list[pyarrow.RecordBatch] = []

    def write(self, batch: pyarrow.RecordBatch) -> None:
        """Rows wait for others, because a file of many small groups of rows is large and slow to read."""
        if len(batch):
            self._waiting.append(batch)
        if sum(map(len, self._waiting)) >= _ROWS_A_GROUP or sum(one.nbytes for one in self._waiting) >= _BYTES_A_GROUP:
            self._flush()

    def finish(self) -> list[OutputFile]:
        self._flush()
        with _writing(self._staging.parent):
            self._writer.close()
            self._writer = None
            return [self._entry(path, rows) for path, rows in self._rows.items()]

    def abandon(self) -> None:
        """What is not finished is not wanted."""
        if self._writer is not None:
            with contextlib.suppress(OSError, pyarrow.ArrowException):
                self._writer.close()
            if isinstance(self._writer, parquet.ParquetWriter):
                # Else it closes itself once more, and says on stderr that it cannot.
                self._writer.is_open = False

    @property
    def _path(self) -> str:
        return next(reversed(self._rows))

    def _flush(self) -> None:
        with _writing(self._staging.parent):
            if self._writer is None or self._rows[self._path] >= _ROWS_A_PART:
                self._next()
            if self._waiting:
                group = pyarrow.concat_batches(self._waiting)
                self._writer.write_batch(group)
                self._rows[self._path] += len(group)
        self._waiting.clear()

    def _next(self) -> None:
        if self._writer is not None:
            self._writer.close()
        (self._staging / self._name).mkdir(exist_ok=True)
        path = f"{self._name}/part-{len(self._rows):05d}.{self._kind}"
        self._rows[path] = 0
        write = csv.CSVWriter if self._kind == "csv" else parquet.ParquetWriter
        self._writer = write(self._staging / path, self._schema)

    def _entry(self, path: str, rows: int) -> OutputFile:
        file = self._staging / path
        _sync(file)
        return OutputFile(path=path, bytes=file.stat().st_size, sha256=file_sha256(file), rows=rows)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        said = disk_problem(error) or reason(error)
        raise NoOutput(f"{folder}: expected to write the output there, found: {said}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
