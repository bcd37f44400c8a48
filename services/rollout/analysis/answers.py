"""How far the answers of a candidate moved from the live release's, and how far they seem to by chance alone.

Source: Yurdakul and Naranjo, Statistical properties of the population stability index (2020): where nothing moved, the
index divided by the sum of both sizes' inverses has a chi-square distribution of one degree less than there are bins.
Where answers moved by an index of `limit` it is the noncentral one, as of any such divergence (Cressie and Read, 1984).
"""

from collections.abc import Mapping
from math import fsum, log

# The distribution holds where every group of bins has a few answers on each side (Cochran, 1954); more than twenty
# groups would find less.
_FEWEST, _SMALLEST_SHARE = 5, 0.05
# A group that one of both never falls into has half an answer, else its logarithm would be infinite.
_HALF = 0.5

Counts = Mapping[str, int]


def stability(live: Counts, candidate: Counts) -> tuple[float, int]:
    """The population stability index of answers a bin, 0 where both have the same shares; and of how many groups."""
    sizes = (sum(live.values()), sum(candidate.values()))
    found = _groups(live, candidate, sizes)
    shares = [[max(count, _HALF) / size for count, size in zip(pair, sizes, strict=True)] for pair in found]
    return fsum((now - then) * log(now / then) for then, now in shares), len(found)


def limits(limit: float, sizes: tuple[int, int], groups: int, levels: tuple[float, float]) -> tuple[float, float]:
    """Of answers that moved by an index of `limit`, what is found: less than the first and more than the second of both
    with the probabilities `levels`."""
    # Half a second of imports, in a service that mostly has nothing to judge.
    from scipy.stats import ncx2

    scale, freedom = sum(1 / size for size in sizes), max(1, groups - 1)
    moved = limit / scale
    return float(ncx2.ppf(levels[0], freedom, moved)) * scale, float(ncx2.isf(levels[1], freedom, moved)) * scale


def _groups(live: Counts, candidate: Counts, sizes: tuple[int, int]) -> list[tuple[int, int]]:
    """Neighbours together until they have enough of all answers. The shares of both count alike: what only the smaller
    side answers must not vanish in what the other does."""
    smallest = max(_SMALLEST_SHARE, _FEWEST / min(sizes))
    found, waiting = list[tuple[int, int]](), (0, 0)
    for name in sorted({*live, *candidate}, key=lambda one: (len(one), one)):
        waiting = (waiting[0] + live.get(name, 0), waiting[1] + candidate.get(name, 0))
        if (waiting[0] / sizes[0] + waiting[1] / sizes[1]) / 2 >= smallest:
            found.append(waiting)
            waiting = (0, 0)
    last = found.pop() if found else (0, 0)
    return [*found, (last[0] + waiting[0], last[1] + waiting[1])]
