"""Sums along an order, against those that are added up row after row."""

import numpy
import pytest

from services.delivery.statistics.running_sums import RunningSums


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 255, 256, 70_000])
@pytest.mark.parametrize("heaviest", [255, 255.0])
def test_sums_of_the_first_rows_of_an_order_are_exact(rows: int, heaviest: float) -> None:
    by_row = numpy.vstack([numpy.full((rows, 2), heaviest), numpy.zeros((1, 2))])
    by_row[: rows // 2, 1] = 1
    by_row = by_row.astype(numpy.uint8) if isinstance(heaviest, int) else by_row
    order = numpy.random.default_rng(0).permutation(rows)
    one_by_one = numpy.vstack([numpy.zeros((1, 2)), numpy.cumsum(by_row[order], axis=0, dtype=float)])
    wanted = numpy.arange(rows + 1)
    every, last = (sums := RunningSums.of(order, rows))(by_row, [wanted, sums.end])
    assert numpy.array_equal(every, one_by_one)
    assert numpy.array_equal(last, one_by_one[-1:])
