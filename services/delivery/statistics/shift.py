"""How far the distribution of answers moved from one model to another.

Sources: Siddiqi, Credit Risk Scorecards (2006), for the population stability index and its rule of thumb;
Press et al., Numerical Recipes (2007), section 14.3.3, for Kolmogorov and Smirnov's test with Stephens' correction.
"""

from math import exp, sqrt

import numpy
from numpy.typing import ArrayLike

_BINS = 10
# A bin that one of both never falls into has half a row, else its logarithm would be infinite.
_HALF = 0.5
_TERMS = 101


def psi(before: numpy.ndarray, after: numpy.ndarray) -> float:
    """Population stability index of numbers over deciles of `before`; both of shape (rows,)."""
    edges = numpy.unique(numpy.quantile(before, numpy.linspace(0, 1, _BINS + 1)[1:-1]))
    counts = [numpy.bincount(numpy.searchsorted(edges, one), minlength=len(edges) + 1) for one in (before, after)]
    return stability(*counts)


def psi_of_labels(before: ArrayLike, after: ArrayLike) -> float:
    """Population stability index of names, over each of them."""
    sides = numpy.asarray(before), numpy.asarray(after)
    kinds, places = numpy.unique(numpy.concatenate(sides), return_inverse=True)
    split = numpy.split(places, [len(sides[0])])
    return stability(*(numpy.bincount(one, minlength=len(kinds)) for one in split))


def stability(before: numpy.ndarray, after: numpy.ndarray) -> float:
    """Of rows a bin; 0 where both have the same shares."""
    shares = [numpy.maximum(one, _HALF) / one.sum() for one in (before, after)]
    return float(((shares[1] - shares[0]) * numpy.log(shares[1] / shares[0])).sum())


def moved(index: float) -> str:
    """The rule of thumb of the population stability index, in a word."""
    return "hardly moved" if index < 0.1 else "moved" if index < 0.25 else "moved far"


def kolmogorov_smirnov(first: numpy.ndarray, second: numpy.ndarray) -> tuple[float, float]:
    """The largest distance of both cumulative shares, and its p value as if the samples were independent."""
    first, second = numpy.sort(first), numpy.sort(second)
    both = numpy.concatenate([first, second])
    shares = [numpy.searchsorted(one, both, side="right") / len(one) for one in (first, second)]
    distance = float(numpy.abs(shares[0] - shares[1]).max())
    size = sqrt(len(first) * len(second) / len(both))
    return distance, _beyond((size + 0.12 + 0.11 / size) * distance)


def _beyond(scaled: float) -> float:
    """Kolmogorov's distribution: the probability of more than this."""
    if scaled < 0.3:  # the series needs ever more terms, and the sum is 1 to eight digits
        return 1.0
    terms = ((-1) ** (k - 1) * exp(-2 * (k * scaled) ** 2) for k in range(1, _TERMS))
    return float(min(1.0, max(0.0, 2 * sum(terms))))
