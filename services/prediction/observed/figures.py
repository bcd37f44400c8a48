"""What one serving process counts: plain numbers in memory, which its siblings may read as well.

An answer only adds to them. What they are called, and in which form they are told, is exposition.py's.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import IntEnum
from math import frexp
from typing import Any
from zlib import crc32

# Two from one doubling to the next: so finely can a candidate be told from what is twice as fast.
SECONDS_BUCKETS = (
    0.00025, 0.00035, 0.0005, 0.0007, 0.001, 0.0014, 0.002, 0.0028, 0.004, 0.0056, 0.008, 0.011, 0.016, 0.022, 0.032,
    0.045, 0.064, 0.09, 0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0,
)  # fmt: skip
ROWS_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16384.0, 65536.0)

# Of rows, of which each takes the place of an earlier one.
_ROWS_KNOWN = 4096
# Of answers, so that two releases can be compared by how many fall into each.
BINS = 256


class Place(IntEnum):
    """Where a number stands; a status of HTTP stands at its own, and a histogram's first bucket at the place given."""

    IN_FLIGHT = 0
    ROWS = 1
    SECONDS = 2
    BATCH_ROWS = 3
    ACCESS_LOST = 4
    ACCESS_FAILED = 5
    PREDICTIONS_LOST = 6
    PREDICTIONS_FAILED = 7
    HANDED_ON = 8
    HANDED_ON_FAILED = 9
    SECONDS_BUCKETS = 16
    BATCH_BUCKETS = 48
    SHADOW_COMPARED = 80
    SHADOW_DISAGREED = 81
    SHADOW_APART = 82
    SHADOW_NUMBERS = 83
    SHADOW_TOO_MANY = 84
    SHADOW_TOO_LARGE = 85
    SHADOW_NOT_COMPARABLE = 86
    STATUSES = 100
    ANSWERS = 600


SIZE = 600 + BINS
BYTES = SIZE * 8


class Figures:
    """`numbers` are SIZE floats. Only one process adds to them, and only its event loop, but for what failed."""

    def __init__(self, numbers: "memoryview[float]") -> None:
        self._numbers = numbers
        # Of a process that ended here before.
        numbers[Place.IN_FLIGHT] = 0.0
        self._known = [0] * _ROWS_KNOWN

    def begin(self) -> None:
        self._numbers[0] += 1.0

    def end_handed_on(self) -> None:
        """Of a request that a candidate answered, which counts it."""
        self._numbers[0] -= 1.0
        self._numbers[_HANDED_ON] += 1.0

    def end(self, status: int, seconds: float, rows: int, batch: int, first: Any = None, row: int = 0) -> None:
        """`batch` is of how many rows, 0 for a request that was not scored; `first` the answer to its first row, `row`
        a hash of that: an answer to what is asked again and again tells nothing new of how answers are distributed.
        """
        numbers = self._numbers
        numbers[0] -= 1.0
        numbers[status] += 1.0
        numbers[_SECONDS] += seconds
        numbers[_SECONDS_BUCKETS + bisect_left(SECONDS_BUCKETS, seconds)] += 1.0
        if rows:
            numbers[_ROWS] += rows
            numbers[_BATCH_ROWS] += batch
            numbers[_BATCH_BUCKETS + bisect_left(ROWS_BUCKETS, batch)] += 1.0
            known = self._known
            if known[row % _ROWS_KNOWN] != row and (place := bin_of(first)) is not None:
                known[row % _ROWS_KNOWN] = row
                numbers[_ANSWERS + place] += 1.0

    def add(self, place: Place, amount: float = 1.0) -> None:
        self._numbers[place] += amount

    def read(self) -> Sequence[float]:
        return list(self._numbers)


# A member of an enumeration takes three times as long to find as a name of the module.
_ROWS, _SECONDS, _BATCH_ROWS = int(Place.ROWS), int(Place.SECONDS), int(Place.BATCH_ROWS)
_SECONDS_BUCKETS, _BATCH_BUCKETS = int(Place.SECONDS_BUCKETS), int(Place.BATCH_BUCKETS)
_ANSWERS, _HANDED_ON = int(Place.ANSWERS), int(Place.HANDED_ON)


def bin_of(answer: Any) -> int | None:
    """Of a number sixteen bins from one power of two to the next, neighbours beside each other, of a label one of its
    own, and of a probability four from one doubling of its odds to the next; all as far as bins go.

    None for what is neither: several labels, or no label at all.
    """
    if isinstance(answer, dict):
        if isinstance(label := answer.get("label"), str):
            return crc32(label.encode()) % BINS
        chance = answer.get("probability")
        if not isinstance(chance, float):
            return None
        return _place(chance / (1 - chance), 8) if chance < 1 else BINS - 1
    return _place(answer, 32) if isinstance(answer, float) else None


def _place(number: float, scale: int) -> int:
    """`scale` is twice as many as there are bins in a power of two; negative numbers have the other half of them."""
    fraction, exponent = frexp(abs(number))
    return (exponent * scale // 2 + int(fraction * scale)) % (BINS // 2) + BINS // 2 * (number < 0)
