"""Whether two classifiers are right equally often on the same rows, of which only those count that one has right.

Source: McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12 (1947),
in its exact form: Dietterich, Approximate Statistical Tests for Comparing Supervised Classification Learning
Algorithms, Neural Computation 10 (1998). Exact at any size, because the sum is cheap; chi-square approximates it.
"""

from math import log

import numpy


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided p value of rows that only one of both has right: a fair coin decides each where both are as good."""
    rows, fewer = first_only + second_only, min(first_only, second_only)
    # Of k successes: the logarithm of rows over k, less that of two to the power of rows.
    taken = numpy.arange(1, fewer + 1)
    ways = numpy.concatenate([[0.0], numpy.cumsum(numpy.log((rows + 1 - taken) / taken))])
    tail = float(numpy.exp(ways - rows * log(2)).sum())
    return min(1.0, 2 * tail)
