"""Rows that changed sides: a negative flip is one that the live model has right and the candidate has wrong.

Source: Yan et al., Positive-Congruent Training: Towards Regression-Free Model Updates, CVPR 2021.
"""

import math
from typing import Any

import numpy

from services.contract.comparison import Flip, Flips
from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.delivery.deltas.answered import Answered, Rightness, absolute_errors, numbers

_MOST = 50


def flips(answered: Answered, found: Rightness) -> Flips:
    negative = numpy.flatnonzero(found.live_only)
    worst = negative[numpy.argsort(-_lost(answered)[negative], kind="stable")][:_MOST]
    return Flips(
        negative=len(negative),
        positive=int(found.candidate_only.sum()),
        rows=len(answered.rows),
        right=found.right,
        worst=tuple(_flip(answered, int(row)) for row in worst),
    )


def _lost(answered: Answered) -> numpy.ndarray:
    """How much each row lost: error, or how sure the live model was of the right label and the candidate of another."""
    if answered.task == "classification":
        return numpy.asarray(numbers(answered.candidate) + numbers(answered.live))
    candidate, live = (absolute_errors(answered.actual, one) for one in (answered.candidate, answered.live))
    return numpy.asarray(candidate - live)


def _flip(answered: Answered, row: int) -> Flip:
    cells = map(_cell, answered.rows[row])
    return Flip(
        inputs=dict(zip(answered.columns, cells, strict=True)),
        actual=_cell(answered.actual[row]),
        candidate=_answer(answered.candidate[row]),
        live=_answer(answered.live[row]),
    )


def _cell(value: Any) -> Cell:
    """NaN is what is missing."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _answer(prediction: Prediction) -> Cell:
    return f"{prediction.label} ({prediction.probability:.3f})" if isinstance(prediction, Labelled) else prediction
