"""Answers as arrays, which numpy counts with."""

from collections.abc import Sequence
from typing import Any

import numpy

from services.contract.prediction import Labelled, number_of
from services.delivery.reports.evidence import Answers


def numbers(answers: Sequence[Any]) -> numpy.ndarray:
    """Of shape (rows,): predicted numbers, or the probability of each answer."""
    return numpy.array([number_of(one) for one in answers], dtype=float)


def labels(answers: Answers) -> numpy.ndarray:
    """Of shape (rows,), as texts."""
    return numpy.array([str(one.label if isinstance(one, Labelled) else one) for one in answers])
