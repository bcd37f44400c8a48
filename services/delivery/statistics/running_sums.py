"""What the first so many rows of an order weigh, for several weightings side by side.

Summed up row after row, each addition waits for the one before. So the order is cut into blocks, which are all summed
up at once, and what is before a block is added where a sum is read. Source: Blelloch, Prefix Sums and Their
Applications (1990), 1.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy

# The sum of so many bytes fits 16 bits.
_LONGEST = 256


@dataclass(frozen=True)
class RunningSums:
    """`laid` has the row at each place of each block, of shape (places, blocks); the first is that of no row, and those
    behind the `end` are too."""

    laid: numpy.ndarray
    end: numpy.ndarray

    @classmethod
    def of(cls, order: numpy.ndarray, nothing: int) -> Self:
        """`nothing` is a row that weighs nothing."""
        places = min(_LONGEST, math.isqrt(len(order)) + 1)
        blocks = len(order) // places + 1
        laid = numpy.full(places * blocks, nothing)
        laid[1 : len(order) + 1] = order
        return cls(numpy.ascontiguousarray(laid.reshape(blocks, places).T), numpy.array([len(order)]))

    def __call__(self, by_row: numpy.ndarray, wanted: Sequence[numpy.ndarray]) -> list[numpy.ndarray]:
        """Of weights of shape (rows, weightings), for each of the `wanted` numbers of first rows sums of shape
        (numbers, weightings): of bytes whole numbers, exactly."""
        short, long = (numpy.uint16, numpy.int32) if by_row.dtype == numpy.uint8 else (float, float)
        places, blocks = self.laid.shape
        within = by_row.take(self.laid.ravel(), axis=0).astype(short).reshape(places, blocks, -1)
        for place in range(1, places):
            within[place] += within[place - 1]
        before = numpy.zeros(within.shape[1:], dtype=long)
        numpy.cumsum(within[-1, :-1], axis=0, out=before[1:])
        flat = within.reshape(places * blocks, -1)
        return [
            flat.take(number % places * blocks + number // places, axis=0) + before.take(number // places, axis=0)
            for number in wanted
        ]
