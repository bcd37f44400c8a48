"""Writes the prediction log, which services/contract/prediction_log.py reads."""

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from starlette.types import Scope

from services.contract.release import Column, Release
from services.prediction.asked import Asked
from services.prediction.observed.answered import Answered
from services.prediction.observed.identity import identity_of
from services.prediction.observed.log_writer import LogWriter

# Rows that wait to be written.
MOST_WAITING = 200_000


class PredictionLog:
    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def wants(self, _: Scope, asked: Asked) -> bool:
        return asked.wanted

    def note(self, answered: Answered) -> None:
        self._writer.put(answered, 1 + answered.asked.rows)

    def close(self) -> None:
        self._writer.close()


class PredictionLine:
    """`encode` makes the line of one request, with its rows unless only their digest is to be kept.

    Of a request that fits into no file with its rows only the digest is kept as well.
    """

    def __init__(self, release: Release, most_bytes: int) -> None:
        manifest = release.manifest
        self._identity = identity_of(release)
        self._columns = [column.name for column in manifest.inputs]
        self._cells = [_cell_of(column) for column in manifest.inputs]
        self._full = manifest.limits.prediction_log.inputs == "full"
        self._most_bytes = most_bytes

    def encode(self, answered: Answered) -> bytes:
        fields = self._fields(answered)
        line = msgspec.json.encode(fields) + b"\n"
        if len(line) > self._most_bytes:
            line = msgspec.json.encode({**fields, "inputs": None, "predictions": None}) + b"\n"
        return line

    def _fields(self, answered: Answered) -> dict[str, Any]:
        asked = answered.asked
        known: dict[str, Any] = {}
        if asked.inputs is not None:
            rows = [self._row(row) for row in _listed(asked.inputs)]
            known = {"inputs": rows if self._full else None, "inputs_sha256": digest(rows)}
        return {
            "at": answered.at,
            "request_id": asked.request_id,
            **self._identity,
            "status": answered.status,
            "seconds": round(answered.seconds, 6),
            "rows": asked.rows,
            "columns": self._columns,
            **known,
            "predictions": _listed(asked.outputs) if asked.outputs is not None else None,
        }

    def _row(self, row: Any) -> list[Any]:
        """A row of one column may be its value alone."""
        values = _listed(row) if isinstance(row, list | tuple) or hasattr(row, "tolist") else [row]
        return [cell(value) for cell, value in zip(self._cells, values, strict=True)]


def digest(rows: Iterable[Iterable[Any]]) -> str:
    """The SHA-256 of rows as compact JSON: numbers of double columns with a point, a missing value as null."""
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _cell_of(column: Column) -> Callable[[Any], Any]:
    return _number if column.type == "double" else _whole if column.type == "long" else _other


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _whole(value: Any) -> int | None:
    return None if value is None or not math.isfinite(value) else int(value)


def _other(value: Any) -> Any:
    """What is missing is NaN in a row that a model takes."""
    return None if isinstance(value, float) and math.isnan(value) else value
