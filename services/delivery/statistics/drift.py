"""Whether two samples of a column are of one kind, and how far they are apart.

Sources: Yurdakul, Statistical Properties of Population Stability Index, Western Michigan University (2018), for what
chance alone makes of the index; Massey, The Kolmogorov-Smirnov Test for Goodness of Fit, JASA 46 (1951); Pearson's test
of homogeneity with pooled bins after Cochran, Some Methods for Strengthening the Common chi-squared Tests, Biometrics
10 (1954); Fisher, Statistical Methods for Research Workers (1934), for shares; Efron and Thisted, Estimating the Number
of Unseen Species, Biometrika 63 (1976), for why words that nobody has seen come without any drift.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
from scipy import stats

from services.delivery.statistics.shift import stability

_BINS = 10
# Cochran's rule for the rows that a bin of either sample should be expected to have.
_LEAST_EXPECTED = 5
OTHERS = "(others)"
_DRAWS = 19_999
_NEVER = 1e-12


@dataclass(frozen=True)
class Found:
    """`size` is how far apart both samples are, in the unit of what is tested."""

    test: str
    statistic: float
    p_value: float
    size: float


@dataclass(frozen=True)
class Index:
    """The population stability index of rows a bin; chance alone makes `by_chance` of it on average, and seldom more
    than `limit`."""

    value: float
    by_chance: float
    limit: float

    @property
    def beyond_chance(self) -> float:
        return self.value - self.by_chance


def index(before: numpy.ndarray, now: numpy.ndarray, confidence: float) -> Index:
    """Of rows a bin, both of shape (bins,). Where both samples are of one kind, the index is about chi-squared with a
    degree of freedom less than there are bins, times 1/n + 1/m."""
    free = numpy.count_nonzero(before + now) - 1
    scale = 1 / before.sum() + 1 / now.sum()
    limit = float(stats.chi2.ppf(confidence, free)) * scale if free else 0.0
    return Index(stability(before, now), free * scale, limit)


def edges_of(before: numpy.ndarray) -> numpy.ndarray:
    """The deciles, each of which is a value of a row: a bin reaches up to its edge, the last one beyond."""
    return numpy.unique(numpy.quantile(before, numpy.arange(1, _BINS) / _BINS, method="inverted_cdf"))


def binned(values: numpy.ndarray, edges: numpy.ndarray) -> numpy.ndarray:
    return numpy.bincount(numpy.searchsorted(edges, values), minlength=len(edges) + 1)


def same_numbers(before: numpy.ndarray, now: numpy.ndarray) -> tuple[float, float]:
    """Kolmogorov and Smirnov's distance and its p value, which ties make too large and never too small."""
    found = stats.ks_2samp(before, now, method="asymp")
    return float(found.statistic), float(found.pvalue)


def same_bins(before: numpy.ndarray, now: numpy.ndarray) -> tuple[float, float]:
    """Pearson's chi-squared and its p value, of rows a bin that are enough in each."""
    table = numpy.stack([before, now])[:, before + now > 0]
    if table.shape[1] < 2:
        return 0.0, 1.0
    found = stats.chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue)


def pooled(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[list[str], numpy.ndarray, numpy.ndarray]:
    """The words, the most frequent first, and the rows of each; rare ones together, the same way in both samples."""
    both = Counter(before) + Counter(now)
    least = _LEAST_EXPECTED * both.total() / min(sum(before.values()), sum(now.values()))
    words = [word for word, count in both.most_common() if count >= least]
    sides = [[one.get(word, 0) for word in words] for one in (before, now)]
    rest = [sum(one.values()) - sum(side) for one, side in zip((before, now), sides, strict=True)]
    if any(rest):
        words, sides = [*words, OTHERS], [[*side, left] for side, left in zip(sides, rest, strict=True)]
    return words, numpy.array(sides[0]), numpy.array(sides[1])


def share_moved(before: int, of_before: int, now: int, of_now: int) -> Found:
    """Fisher's exact test of two shares; their difference is the size, in either direction."""
    table = [[before, of_before - before], [now, of_now - now]]
    size = now / of_now - before / of_before
    return Found("Fisher", size, float(stats.fisher_exact(table).pvalue), abs(size))


def unseen(before: Mapping[str, int], now: Mapping[str, int]) -> Found:
    """The share of rows with a word that the first sample lacks, beyond the share that chance makes of rare words.

    If both are of one kind, each order of all rows is as likely; a word of c rows is then missed by the first sample
    with a probability of (m / (n + m))^c at most. The p value is from seeded draws with it.
    """
    total, of_now = sum(before.values()) + sum(now.values()), sum(now.values())
    found = sum(count for word, count in now.items() if word not in before)
    drawn, expected = numpy.zeros(_DRAWS), 0.0
    random = numpy.random.default_rng(0)
    for count, words in Counter((Counter(before) + Counter(now)).values()).items():
        if (missed := (of_now / total) ** count) > _NEVER:
            drawn += count * random.binomial(words, missed, _DRAWS)
            expected += count * words * missed
    p_value = (1 + numpy.count_nonzero(drawn >= found)) / (1 + _DRAWS)
    return Found("permutation", found / of_now, float(p_value), max(0.0, (found - expected) / of_now))


def more(before: Sequence[float] | numpy.ndarray, now: Sequence[float] | numpy.ndarray) -> Found:
    """Mann and Whitney's test that the second sample's values are larger; the size is how much its mean is."""
    first, second = numpy.asarray(before, dtype=float), numpy.asarray(now, dtype=float)
    size = float(second.mean() - first.mean())
    if numpy.ptp(numpy.concatenate([first, second])) == 0:
        return Found("Mann-Whitney", 0.0, 1.0, 0.0)
    found = stats.mannwhitneyu(second, first, alternative="greater", method="asymptotic")
    return Found("Mann-Whitney", float(found.statistic), float(found.pvalue), max(0.0, size))
