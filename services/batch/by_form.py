"""Scores by the form of the release that answers online: in Python workers, from Arrow to Arrow."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from services.batch import worker
from services.batch.failures import FAILED, task_reason
from services.batch.inputs import Input
from services.batch.session import is_local
from services.contract.batch_job import BatchJob
from services.contract.errors import Refused
from services.contract.release import Release
from services.prediction.bodies.json_body import read_json
from services.prediction.invalid import Invalid

_CELLS = {"parquet": "typed", "csv": "csv", "json": "json", "jsonl": "json"}


class FormScorer:
    """The first rows are looked at by a worker, which verifies the release and its golden answers, when it is made.

    Raises Refused when the release cannot answer there or does not take these columns.
    """

    def __init__(self, job: BatchJob, release: Release, found: Input) -> None:
        folder = job.folder if is_local(job.master) else None
        columns = _columns(job, release, found)
        self._task = worker.Task(job.release, job.keep, _CELLS[found.format], columns, folder)
        told = self._preflight(found)
        # Typed columns that nobody asks for need not travel to a worker.
        asked = {*(column.name for column in release.manifest.inputs), *job.keep}
        self._idle = [name for name in found.schema.names if name not in asked] if self._task.cells == "typed" else []
        self._scored, self._rejected = _schema(told["scored"]), _schema(told["rejected"])
        self._versions: dict[str, str] = json.loads(told["versions"])

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    def scored(self, rows: DataFrame) -> DataFrame:
        asked = rows.drop(*self._idle) if len(self._idle) < len(rows.columns) else rows
        return asked.mapInArrow(partial(worker.scored, self._task), self._scored)

    def rejected(self, rows: DataFrame) -> DataFrame:
        return rows.mapInArrow(partial(worker.rejected, self._task), self._rejected)

    def _preflight(self, found: Input) -> Any:
        try:
            (told,) = found.first.mapInArrow(partial(worker.preflight, self._task), worker.PREFLIGHT).collect()
        except FAILED as error:
            raise Refused(f"expected a worker that answers, found: {task_reason(error)}") from error
        if told["problem"]:
            raise Refused(told["problem"])
        return told


def _columns(job: BatchJob, release: Release, found: Input) -> tuple[str, ...]:
    """Of an object of JSON whatever is asked for, and what the first one has besides."""
    if found.format == "parquet":
        return ()
    if found.format == "csv":
        return tuple(name for name in found.schema.names if name != worker.SPOILT)
    try:
        first = read_json(found.first.collect()[0][worker.LINE].encode())
    except Invalid as refusal:
        raise Refused(f"{job.input}: expected objects of JSON, one a row; the first one: {refusal}") from refusal
    inputs = (column.name for column in release.manifest.inputs)
    return tuple(dict.fromkeys([*first, *inputs, *job.keep]))


def _schema(serialized: bytes) -> StructType:
    return from_arrow_schema(pyarrow.ipc.read_schema(pyarrow.py_buffer(bytes(serialized))))
