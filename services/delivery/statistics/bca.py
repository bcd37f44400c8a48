"""The confidence interval of a bootstrap: bias-corrected and accelerated.

Source: Efron, Better Bootstrap Confidence Intervals (1987); DiCiccio and Efron, Bootstrap Confidence Intervals (1996).
A test holds it against scipy.stats.bootstrap; importing SciPy takes longer than the interval.

Why not the percentiles alone: the metrics here are bent (a root, a ratio, a sum over ranks) and their resamples skewed
and off centre where rows are few, which BCa mends to the second order. Why not studentized: it needs the standard error
of each resample, it leaves the range of a metric (an accuracy above 1), and another scale of the same metric (squared
error and its root) would give another verdict. Where rows are many, all three agree.
"""

from statistics import NormalDist

import numpy

_NORMAL = NormalDist()
# What rounding makes of two equal values, as a share of how far resamples are apart.
_TIE = 1e-9


def interval(value: float, resampled: numpy.ndarray, left_out: numpy.ndarray, confidence: float) -> tuple[float, float]:
    """Of `value` on all rows, of shape (resamples,) and (groups,): NaN where too few resamples have a value."""
    some = resampled[numpy.isfinite(resampled)]
    if not numpy.isfinite(value) or 2 * len(some) < len(resampled):
        return float("nan"), float("nan")
    if numpy.ptp(some) == 0:
        return value, value
    bias, acceleration = _bias(value, some), _acceleration(left_out[numpy.isfinite(left_out)])
    tail = (1 - confidence) / 2
    low, high = numpy.quantile(some, [_share(bias, acceleration, end) for end in (tail, 1 - tail)])
    return float(low), float(high)


def _bias(value: float, resampled: numpy.ndarray) -> float:
    """How far the median of the resamples is off, in standard deviations; ties count half."""
    tie = _TIE * numpy.ptp(resampled)
    share = float(((resampled < value - tie).mean() + (resampled <= value + tie).mean()) / 2)
    least = 1 / (2 * len(resampled))
    return _NORMAL.inv_cdf(min(max(share, least), 1 - least))


def _acceleration(left_out: numpy.ndarray) -> float:
    """How the standard error changes with the value: a sixth of the skewness of what each group of rows adds.

    That of groups of many rows is that of single rows, because second and third moments of independent rows add up.
    """
    influence = left_out.mean() - left_out
    spread = float((influence**2).sum()) ** 1.5
    return float((influence**3).sum()) / (6 * spread) if spread > 0 else 0.0


def _share(bias: float, acceleration: float, end: float) -> float:
    """Of the resamples below the end of the interval."""
    moved = bias + _NORMAL.inv_cdf(end)
    return _NORMAL.cdf(bias + moved / (1 - acceleration * moved))
