"""MLflow's scoring protocol: many ways to write the same rows (mlflow.org, "Local Inference Server").

What MLflow's own server answers, and where this is stricter, is recorded in tests/unit/prediction/mlflow_scoring.json.
"""

from typing import Any, NamedTuple

from services.contract.record import Cell
from services.prediction.bodies import body_of
from services.prediction.column_types import check_rows
from services.prediction.content_type import JSON, MediaType
from services.prediction.table import Inputs


class Invocation(NamedTuple):
    """`rows` have the inputs in order; `params` are as they were sent, null when there are none."""

    rows: list[list[Cell]]
    params: Any = None


def read_invocation(body: bytes, inputs: Inputs, max_rows: int, media: MediaType = JSON) -> Invocation:
    """Raises Invalid for a body without rows that fit `inputs`; columns and fields that nobody asks for are ignored."""
    table = body_of(media).read(body, inputs, max_rows)
    return Invocation(check_rows(table.rows, inputs), table.params)
