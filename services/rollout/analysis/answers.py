"""How far the answers of a candidate moved from the live release's, and how far they do by chance alone.

Source: Yurdakul and Naranjo, Statistical properties of the population stability index (2020): where nothing moved, the
index divided by the sum of both sizes' inverses has a chi-square distribution of one degree less than there are bins.
"""

from collections.abc import Mapping
from math import fsum, log

# The distribution holds where every bin has a few answers; rarer ones share a bin.
_FEWEST = 5
# A bin that one of both never falls into has half an answer, else its logarithm would be infinite.
_HALF = 0.5

Counts = Mapping[str, int]


def stability(live: Counts, candidate: Counts) -> tuple[float, int]:
    """The population stability index of answers a bin, 0 where both have the same shares; and how many bins it has."""
    sizes = [sum(side.values()) for side in (live, candidate)]
    pairs = [(live.get(name, 0), candidate.get(name, 0)) for name in sorted({*live, *candidate})]
    common = [pair for pair in pairs if sum(pair) >= _FEWEST]
    rare = [pair for pair in pairs if sum(pair) < _FEWEST]
    bins = [*common, (sum(one for one, _ in rare), sum(one for _, one in rare))] if rare else common
    shares = [[max(count, _HALF) / size for count, size in zip(pair, sizes, strict=True)] for pair in bins]
    return fsum((now - then) * log(now / then) for then, now in shares), len(bins)


def by_chance(sizes: tuple[int, int], bins: int, level: float) -> float:
    """What the index exceeds with probability `level` where nothing moved, of so many answers on each side."""
    # Half a second of imports, in a service that mostly has nothing to judge.
    from scipy.stats import chi2

    return float(chi2.ppf(1 - level, max(1, bins - 1))) * sum(1 / size for size in sizes)
