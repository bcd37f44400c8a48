"""Rows in columns for a model that takes columns: no cell becomes an object of Python on its way.

Where a cell is not sure, or the model has no answer, nothing is said: the way of all other bodies says why.
"""

from importlib import import_module
from typing import Any

import pyarrow

from services.prediction.batch import typed_cells
from services.prediction.batch.answers import Answer, answer_by
from services.prediction.bodies import MODULES
from services.prediction.content_type import MediaType
from services.prediction.predictor import Predictor
from services.prediction.runtimes import ColumnarModel
from services.prediction.turns import Read, Turns


async def answer_columns(
    predictor: Predictor, body: bytes, media: MediaType, read: Read, turns: Turns
) -> list[pyarrow.RecordBatch] | None:
    """The answers in parts, between which others have their turn; None for rows that the way of all other bodies is to
    look at. Raises Invalid as that does."""
    if not isinstance(predictor.model, ColumnarModel):
        return None
    manifest = predictor.manifest
    module: Any = import_module(f"services.prediction.bodies.{MODULES[media]}")

    def sure() -> list[pyarrow.Array] | None:
        return _sure(module.read_batch(body, manifest.inputs, manifest.limits.max_rows), manifest.inputs)

    columns = await read(sure)
    return columns and await _in_parts(answer_by(predictor.model, manifest), columns, turns)


def _sure(batch: pyarrow.RecordBatch, inputs: Any) -> list[pyarrow.Array] | None:
    found = []
    for column in inputs:
        given = batch.column(column.name) if column.name in batch.schema.names else pyarrow.nulls(len(batch))
        converted = typed_cells.convert(given, column)
        if converted.sure.true_count < len(batch):
            return None
        found.append(converted.cells)
    return found


async def _in_parts(answer: Answer, columns: list[pyarrow.Array], turns: Turns) -> list[pyarrow.RecordBatch] | None:
    def part(rows: range) -> list[pyarrow.RecordBatch]:
        found = answer([column.slice(rows.start, len(rows)) for column in columns])
        if found.column(0).null_count:
            raise ValueError("a row without an answer")
        return [found]

    try:
        return await turns.each(part, range(len(columns[0])))
    except ValueError:
        return None
