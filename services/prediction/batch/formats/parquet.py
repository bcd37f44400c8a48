"""Parquet, in parts of few enough rows that wide ones fit as well."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow
from pyarrow import parquet

from services.contract.errors import reason
from services.prediction.batch import typed_cells
from services.prediction.batch.failure import WrongInput
from services.prediction.batch.formats import MOST_BYTES, MOST_ROWS, Part

cells = typed_cells
every_row_names_its_columns = False
_READ_AHEAD = 1 << 20
_VIEWS = {pyarrow.string_view(): pyarrow.large_string(), pyarrow.binary_view(): pyarrow.large_binary()}


def schema(path: Path) -> pyarrow.Schema:
    with _opened(path) as file:
        return without_views(file.schema_arrow)


def parts(path: Path, schema: pyarrow.Schema) -> Iterator[Part]:
    with _opened(path) as file:
        total, done = max(1, file.metadata.num_rows), 0
        for batch in file.iter_batches(_rows_at_once(file.metadata), use_threads=False):
            done += len(batch)
            rows = batch if batch.schema.equals(schema) else batch.cast(schema)
            yield Part(rows, rows.slice(0, 0), (), done / total)


@contextmanager
def _opened(path: Path) -> Iterator[parquet.ParquetFile]:
    try:
        with parquet.ParquetFile(path, buffer_size=_READ_AHEAD, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise WrongInput(f"{path}: expected a whole file of Parquet, cannot read it: {reason(error)}") from error


def _rows_at_once(metadata: parquet.FileMetaData) -> int:
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0.0)
    return int(max(1, min(MOST_ROWS, MOST_BYTES / max(1.0, widest))))


def without_views(found: pyarrow.Schema) -> pyarrow.Schema:
    """Arrow cannot select rows of them."""
    return pyarrow.schema([field.with_type(_VIEWS.get(field.type, field.type)) for field in found])
