"""A model's answers to columns: a batch with one answer a row, null where it has none."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow
import pyarrow.compute as arrow

from services.contract import names
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column, Manifest
from services.contract.task import TARGETS, Task
from services.prediction.runtimes import ColumnarModel, Model

# Of columns in the order of the inputs.
Answer = Callable[[Sequence[pyarrow.Array]], pyarrow.RecordBatch]
_LABELS = {"string": pyarrow.string(), "long": pyarrow.int64()}


def answer_schema(task: Task) -> pyarrow.Schema:
    """`prediction`, or `label` and `probability`; a label is a text, or 0 or 1 where the task is binary."""
    if task == "regression":
        return pyarrow.schema([(names.GRAPH_PREDICTION, pyarrow.float64())])
    label = (names.GRAPH_LABEL, _LABELS[TARGETS[task]])
    return pyarrow.schema([label, (names.GRAPH_PROBABILITY, pyarrow.float64())])


def answer_by(model: Model, manifest: Manifest) -> Answer:
    """By columns where the model takes them, else row by row. What it raises is raised."""
    schema = answer_schema(manifest.task)
    if isinstance(model, ColumnarModel):
        return lambda columns: _tidied(model.predict_columns(columns), schema)
    return lambda columns: answers_of(model.predict(_rows(columns, manifest.inputs)), schema)


def answers_of(predictions: Sequence[Prediction | None], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    """None becomes null."""
    if names.GRAPH_PREDICTION in schema.names:
        return _tidied({names.GRAPH_PREDICTION: predictions}, schema)
    known = [one if isinstance(one, Labelled) else None for one in predictions]
    labels, probabilities = [one and one.label for one in known], [one and one.probability for one in known]
    return _tidied({names.GRAPH_LABEL: labels, names.GRAPH_PROBABILITY: probabilities}, schema)


def unanswered(rows: int, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_arrays([pyarrow.nulls(rows, field.type) for field in schema], schema=schema)


def _tidied(found: Mapping[str, Any], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Of the schema's types, and null in every column where there is no finite number."""
    given = [_typed(found[field.name], field.type) for field in schema]
    finite = arrow.and_(arrow.is_finite(given[-1]), given[0].is_valid()).fill_null(False)
    columns = given if finite.true_count == len(finite) else [arrow.if_else(finite, one, None) for one in given]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def _typed(found: Any, kind: pyarrow.DataType) -> pyarrow.Array:
    if pyarrow.types.is_string(kind) and isinstance(found, list):
        return pyarrow.array([None if one is None else str(one) for one in found], kind)
    return pyarrow.array(found).cast(kind)


def _rows(columns: Sequence[pyarrow.Array], inputs: Sequence[Column]) -> list[tuple[Any, ...]]:
    cells = ([math.nan if cell is None else cell for cell in array.to_pylist()] for array in columns)
    return list(zip(*cells, strict=True)) if inputs else []
