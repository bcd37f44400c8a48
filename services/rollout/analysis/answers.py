"""How far the answers of a candidate moved from the live release's, and how far they do by chance alone.

Source: Yurdakul and Naranjo, Statistical properties of the population stability index (2020): where nothing moved, the
index divided by the sum of both sizes' inverses has a chi-square distribution of one degree less than there are bins.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from math import fsum, log

_BINS = 10
# A bin that one of both never falls into has half an answer, else its logarithm would be infinite.
_HALF = 0.5

Answers = Sequence[float | str]
Counts = list[int]


def counted(live: Answers, candidate: Answers) -> tuple[Counts, Counts]:
    """Labels each by itself, numbers in the deciles of the live release's."""
    if any(isinstance(answer, str) for answer in live):
        kinds = sorted({str(answer) for answer in (*live, *candidate)})
        each = (Counter(map(str, side)) for side in (live, candidate))
        before, after = ([count[kind] for kind in kinds] for count in each)
        return before, after
    numbers = sorted(map(float, live))
    edges = sorted({numbers[len(numbers) * part // _BINS] for part in range(1, _BINS)})
    places = (Counter(bisect_left(edges, float(answer)) for answer in side) for side in (live, candidate))
    before, after = ([count[place] for place in range(len(edges) + 1)] for count in places)
    return before, after


def stability(before: Counts, after: Counts) -> float:
    """The population stability index of answers a bin; 0 where both have the same shares."""
    shares = [[max(count, _HALF) / sum(side) for count in side] for side in (before, after)]
    return fsum((now - then) * log(now / then) for then, now in zip(*shares, strict=True))


def by_chance(before: Counts, after: Counts, level: float) -> float:
    """What the index exceeds with probability `level` where nothing moved."""
    # Half a second of imports, in a service that mostly has nothing to judge.
    from scipy.stats import chi2

    return float(chi2.ppf(1 - level, max(1, len(before) - 1))) * (1 / sum(before) + 1 / sum(after))
