"""Answers in a stream of Arrow IPC: `prediction`, or `label` and `probability`, with `probabilities` when asked for.

The schema's metadata name model, revision and release, as every answer does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow
import pyarrow.ipc

from services.contract import names
from services.contract.release import Manifest
from services.prediction.batch.answers import answer_schema
from services.prediction.params import PREDICT_PROBA, Params


def write(batches: Sequence[pyarrow.RecordBatch], identity: Mapping[str, str]) -> bytes:
    schema = batches[0].schema.with_metadata(dict(identity))
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return bytes(sink.getvalue())


def as_batch(predictions: Sequence[Any], manifest: Manifest, params: Params) -> pyarrow.RecordBatch:
    """Of predictions as they stand in an answer in JSON."""
    schema = _schema(manifest, params)
    if names.GRAPH_PREDICTION in schema.names:
        return pyarrow.RecordBatch.from_arrays([pyarrow.array(predictions, pyarrow.float64())], schema=schema)
    columns = [pyarrow.array([one[field.name] for one in predictions], field.type) for field in schema]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def as_json(batches: Sequence[pyarrow.RecordBatch]) -> list[Any]:
    """As an answer in JSON has them."""
    rows = [row for batch in batches for row in batch.to_pylist()]
    return [row.get(names.GRAPH_PREDICTION, row) for row in rows]


def _schema(manifest: Manifest, params: Params) -> pyarrow.Schema:
    schema = answer_schema(manifest.task)
    if params.k != 1:
        schema = pyarrow.schema([field.with_type(pyarrow.list_(field.type)) for field in schema])
    if params.predict_method != PREDICT_PROBA:
        return schema
    each = pyarrow.struct([(name, pyarrow.float64()) for name in manifest.classes])
    return schema.append(pyarrow.field(names.GRAPH_PROBABILITIES, each))
