"""Rows in a file of Parquet, as MLflow's scoring server takes one."""

from collections.abc import Sequence
from contextlib import suppress

import pyarrow
from pyarrow import parquet

from services.contract.release import Column
from services.prediction.batch import typed_cells
from services.prediction.batch.formats.parquet import without_views
from services.prediction.bodies import Table
from services.prediction.bodies.parquet_sizes import DELTA_BYTE_ARRAY, DICTIONARIES, Chunk, Footer
from services.prediction.bodies.typed_table import as_json, check_schema, checked, refuse_expansion, whole
from services.prediction.invalid import Invalid
from services.prediction.table import count_rows

_WHAT = "a whole file of Parquet"


def read(body: bytes, inputs: Sequence[Column], max_rows: int) -> Table:
    return as_json(read_batch(body, inputs, max_rows), inputs)


def rows(body: bytes) -> int:
    with suppress(ValueError, OverflowError):
        return Footer(body).rows
    return 0


def read_batch(body: bytes, inputs: Sequence[Column], max_rows: int) -> pyarrow.RecordBatch:
    """The columns that the model takes; no page of others is decoded."""
    with whole(_WHAT):
        footer = Footer(body)
        count_rows("parquet", footer.rows, max_rows)
        chunks = list(footer.chunks())
        schema = without_views(_open(body, ()).schema_arrow)
        check_schema(schema, inputs)
        wanted = [column.name for column in inputs if column.name in schema.names]
        chosen = [chunk for chunk in chunks if chunk.path in wanted]
        refuse_expansion("parquet", sum(chunk.bytes for chunk in chosen), len(body))
        table = _open(body, _in_dictionaries(chosen, schema)).read(wanted, use_threads=False)
        return checked("parquet", table.cast(without_views(table.schema)), len(body))


def _open(body: bytes, dictionaries: Sequence[str]) -> parquet.ParquetFile:
    return parquet.ParquetFile(pyarrow.BufferReader(body), read_dictionary=list(dictionaries), pre_buffer=False)


def _in_dictionaries(chunks: Sequence[Chunk], schema: pyarrow.Schema) -> list[str]:
    """Columns of texts that stand there once and that rows name by their place, until their size is known."""
    texts = [chunk for chunk in chunks if typed_cells.is_text(typed_cells.inner(schema.field(chunk.path).type))]
    if any(DELTA_BYTE_ARRAY in chunk.encodings for chunk in texts):
        raise Invalid(415, "parquet: expected texts in plain or dictionary encoding, found delta encoding of texts")
    return sorted({chunk.path for chunk in texts if chunk.encodings & DICTIONARIES})
