"""Rows in a stream of Arrow IPC: a schema and record batches, in a compression or in none."""

from collections.abc import Sequence
from contextlib import suppress

import pyarrow
import pyarrow.ipc

from services.contract.release import Column
from services.prediction.bodies import Table
from services.prediction.bodies.arrow_sizes import declared
from services.prediction.bodies.typed_table import as_json, check_schema, checked, refuse_expansion, whole
from services.prediction.table import count_rows

_WHAT = "a whole stream of Arrow IPC"


def read(body: bytes, inputs: Sequence[Column], max_rows: int) -> Table:
    return as_json(read_batch(body, inputs, max_rows), inputs)


def rows(body: bytes) -> int:
    with suppress(pyarrow.ArrowException, OSError, ValueError, OverflowError):
        return declared(body).rows
    return 0


def read_batch(body: bytes, inputs: Sequence[Column], max_rows: int) -> pyarrow.RecordBatch:
    """The columns that the model takes, of which others than text are not checked further."""
    with whole(_WHAT):
        size, schema = declared(body), pyarrow.ipc.open_stream(body).schema
        count_rows("arrow", size.rows, max_rows)
        refuse_expansion("arrow", size.bytes, len(body))
        check_schema(schema, inputs)
        wanted = [schema.get_field_index(column.name) for column in inputs if column.name in schema.names]
        options = pyarrow.ipc.IpcReadOptions(use_threads=False, included_fields=wanted)
        with pyarrow.ipc.open_stream(body, options=options) as stream:
            return checked("arrow", stream.read_all(), len(body))
