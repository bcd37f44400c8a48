"""Tables of Arrow as a request may send them: refused while they are small, and checked before anything reads them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import pyarrow
import pyarrow.compute as arrow

from services.contract.errors import reason
from services.contract.release import Column
from services.prediction.batch import typed_cells
from services.prediction.bodies import Table
from services.prediction.invalid import Invalid, refuse_if
from services.prediction.table import column_problems, read_table

# What a body may become beyond its own bytes, which have a limit in model.yaml.
MOST_BYTES = 64 << 20


@contextmanager
def whole(what: str) -> Iterator[None]:
    """Raises Invalid, with Arrow's reason, for bytes that are no such thing."""
    try:
        yield
    # Whatever a damaged body does to a library that reads it.
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise Invalid(400, f"expected {what}, cannot read it: {_short(reason(error))}") from error


def _short(text: str) -> str:
    """Never the input, which a library's message may repeat."""
    return " ".join(text.split()).partition(":")[0][:100]


def refuse_expansion(where: str, becomes: int, sent: int) -> None:
    if becomes > max(sent, MOST_BYTES):
        most = max(sent, MOST_BYTES)
        raise Invalid(
            413, f"{where}: expected at most {most} bytes when decompressed, found {becomes}: send fewer rows"
        )


def check_schema(schema: pyarrow.Schema, inputs: Sequence[Column]) -> None:
    """Raises Invalid for columns that are missing, given twice or of a type that the model does not take."""
    names = schema.names
    found = ((schema.field(column.name).type, column) for column in inputs if names.count(column.name) == 1)
    types = (problem for kind, column in found if (problem := typed_cells.problem(kind, column)))
    refuse_if(chain(column_problems(names, inputs), types))


def checked(where: str, table: pyarrow.Table, sent: int) -> pyarrow.RecordBatch:
    """As one batch. Raises an error of Arrow's for a damaged one, and Invalid for one whose dictionaries are a few
    texts that many rows repeat until they are more bytes than a body may become."""
    table.validate(full=True)
    batch = pyarrow.RecordBatch.from_arrays([_one(column) for column in table.columns], schema=table.schema)
    refuse_expansion(where, sum(map(_decoded_bytes, batch.columns)), sent)
    return batch


def _one(column: pyarrow.ChunkedArray) -> pyarrow.Array:
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pyarrow.ChunkedArray) else found


def _decoded_bytes(array: pyarrow.Array) -> int:
    if not pyarrow.types.is_dictionary(array.type):
        return int(array.nbytes)
    words = array.dictionary
    if not typed_cells.is_text(words.type):
        return 16 * len(array)
    return len(array) * int(arrow.max(arrow.binary_length(words)).as_py() or 0)


def as_json(batch: pyarrow.RecordBatch, inputs: Sequence[Column]) -> Table:
    """The same values as a body of JSON would have them."""
    given = [column for column in inputs if column.name in batch.schema.names]
    columns: list[list[Any]] = [typed_cells.values(batch.column(column.name), column) for column in given]
    rows = list(zip(*columns, strict=True)) if columns else [()] * len(batch)
    return Table(read_table([column.name for column in given], rows, inputs))
