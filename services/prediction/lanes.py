"""Rows in whole vectors of a processor, so that an answer does not depend on what it is scored with.

A library computes four rows at once and the rest one by one, which rounds in another order: the last digit of a row's
answer would depend on how many rows come with it.
"""

from collections.abc import Sequence
from typing import TypeVar

Row = TypeVar("Row")
LANES = 4


def filled(rows: Sequence[Row]) -> Sequence[Row]:
    """With the last row again until they are a multiple of four; whoever asks leaves the answers to these out."""
    more = missing(len(rows))
    return [*rows, *[rows[-1]] * more] if more and rows else rows


def missing(rows: int) -> int:
    """How many rows more make a multiple of four."""
    return -rows % LANES
