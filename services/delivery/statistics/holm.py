"""Correction for many looks.

Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6 (1979).
"""

from collections.abc import Sequence

import numpy


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given. To reject those at most alpha errs in any of them with probability alpha at
    most, however they depend on one another."""
    found = numpy.asarray(p_values, dtype=float)
    order = numpy.argsort(found, kind="stable")
    left = numpy.arange(len(found), 0, -1)
    adjusted = numpy.empty_like(found)
    adjusted[order] = numpy.minimum(numpy.maximum.accumulate(found[order] * left), 1.0)
    return list(map(float, adjusted))
