"""Both models' answers to the same rows, each from its own files and by the columns that it was trained with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from services.contract.release import Column, Manifest
from services.delivery.scoring.holdout import Holdout, Row
from services.delivery.scoring.scoring import HoldoutRequest, Scorer


def finite_answers(scorer: Scorer, request: HoldoutRequest, holdout: Holdout) -> list[Prediction]:
    """Raises Refused when the model cannot be asked, or does not answer every row."""
    if not holdout.rows:
        raise Refused("expected rows in the hold-out, found none")
    scores = scorer.score(request, holdout)
    if (bad := len(holdout.rows) - len(scores.finite)) > 0:
        first = f"; {scores.failure}" if scores.failure else ""
        raise Refused(
            f"expected a finite answer of {request.library} to every row of the hold-out, found {bad} without{first}"
        )
    return scores.finite


def as_live_sees_it(config: ModelConfig, manifest: Manifest, holdout: Holdout) -> tuple[ModelConfig, Holdout]:
    """The columns of the live release, in its order, of the candidate's hold-out.

    Raises Refused when the release answers something else or needs what the hold-out lacks.
    """
    if manifest.task != config.task:
        raise Refused(f"expected a {config.task} as the candidate is, found a {manifest.task}")
    places = [_place(column, config.inputs) for column in manifest.inputs]
    columns = {column.name: column.type for column in manifest.inputs}
    optional = tuple(column.name for column in manifest.inputs if not column.required)
    data = config.data.model_copy(update={"columns": columns, "optional": optional})
    rows, edges = (_chosen(some, places) for some in (holdout.rows, holdout.edges))
    return config.model_copy(update={"data": data}), replace(holdout, rows=rows, edges=edges)


def _place(wanted: Column, inputs: Sequence[Column]) -> int:
    for place, column in enumerate(inputs):
        if (column.name, column.type) == (wanted.name, wanted.type):
            return place
    raise Refused(
        f"expected its column '{wanted.name}' of type {wanted.type} in the candidate's hold-out, found "
        f"{', '.join(f'{one.name} {one.type}' for one in inputs)}: it cannot answer the same rows"
    )


def _chosen(rows: list[Row], places: list[int]) -> list[list[Any]]:
    if places == list(range(len(rows[0]) if rows else 0)):
        return rows
    return [[row[place] for place in places] for row in rows]
