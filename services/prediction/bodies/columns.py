"""Rows in columns for a model that takes columns: no cell becomes an object of Python on its way.

Where a cell is not sure, or the model has no answer, nothing is said: the way of all other bodies says why.
"""

import asyncio
from importlib import import_module
from typing import Any

import pyarrow

from services.prediction.batch import typed_cells
from services.prediction.batch.answers import Answer, answer_by
from services.prediction.bodies import MODULES
from services.prediction.content_type import MediaType
from services.prediction.predictor import Predictor
from services.prediction.runtimes import ColumnarModel

# Few enough that health is answered in between.
_AT_ONCE = 4096


async def answer_columns(predictor: Predictor, body: bytes, media: MediaType) -> list[pyarrow.RecordBatch] | None:
    """The answers, None for rows that the way of all other bodies is to look at. Raises Invalid as that does."""
    if not isinstance(predictor.model, ColumnarModel):
        return None
    manifest = predictor.manifest
    read: Any = import_module(f"services.prediction.bodies.{MODULES[media]}")
    columns = _sure(read.read_batch(body, manifest.inputs, manifest.limits.max_rows), manifest.inputs)
    return columns and await _in_parts(answer_by(predictor.model, manifest), columns)


def _sure(batch: pyarrow.RecordBatch, inputs: Any) -> list[pyarrow.Array] | None:
    found = []
    for column in inputs:
        given = batch.column(column.name) if column.name in batch.schema.names else pyarrow.nulls(len(batch))
        converted = typed_cells.convert(given, column)
        if converted.sure.true_count < len(batch):
            return None
        found.append(converted.cells)
    return found


async def _in_parts(answer: Answer, columns: list[pyarrow.Array]) -> list[pyarrow.RecordBatch] | None:
    parts = []
    for start in range(0, len(columns[0]), _AT_ONCE):
        try:
            found = answer([column.slice(start, _AT_ONCE) for column in columns])
        except ValueError:
            return None
        if found.column(0).null_count:
            return None
        parts.append(found)
        await asyncio.sleep(0)
    return parts
