"""Fills in what is observed of a request, where somebody observes."""

from collections.abc import Sequence
from typing import Any

from starlette.types import Scope

from services.prediction.asked import Asked


def note(scope: Scope, rows: Sequence[Any], predictions: Sequence[Any], batch: int) -> None:
    """`predictions` as they stand in the answer to `rows`, which were scored in a batch of so many rows."""
    asked: Asked | None = scope.get("asked")
    if asked is None:
        return
    asked.rows, asked.batch = len(rows), batch
    if asked.wanted:
        asked.inputs, asked.outputs = rows, predictions
