"""Intervals of shares. Sources: Wilson (1927) for one share, Newcombe (1998), method 10, for a difference of two."""

from math import sqrt
from statistics import NormalDist


def wilson(count: int, of: int, level: float) -> tuple[float, float]:
    """The interval of the share `count / of` that misses it with probability `level`; `of` is at least 1."""
    z = NormalDist().inv_cdf(1 - level / 2)
    share, spread = count / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(candidate: tuple[int, int], live: tuple[int, int], level: float) -> tuple[float, float]:
    """The interval of the candidate's share less the live one's, each given as a count and of how many."""
    shares = [count / of for count, of in (candidate, live)]
    (low, high), (live_low, live_high) = (wilson(*side, level) for side in (candidate, live))
    found = shares[0] - shares[1]
    return (
        found - sqrt((shares[0] - low) ** 2 + (live_high - shares[1]) ** 2),
        found + sqrt((high - shares[0]) ** 2 + (shares[1] - live_low) ** 2),
    )
