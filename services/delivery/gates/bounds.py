"""A metric's interval held against its bounds: only one that lies wholly on one side decides."""

import math

from services.contract.gates import Threshold
from services.contract.verdict import Estimate, Verdict


def judged(bounds: Threshold, found: Estimate) -> Verdict:
    """An interval that touches a bound from inside is inside."""
    low, high = _ends(bounds)
    if low <= found.low and found.high <= high:
        return Verdict.PASS
    return Verdict.FAIL if found.high < low or found.low > high else Verdict.INCONCLUSIVE


def within(bounds: Threshold, value: float) -> bool:
    low, high = _ends(bounds)
    return low <= value <= high


def held_against(bounds: Threshold, found: Estimate) -> Estimate:
    return found.model_copy(update={"min": bounds.min, "max": bounds.max})


def expected(bounds: Threshold) -> str:
    ends = (bounds.min is not None and f"≥ {bounds.min:g}", bounds.max is not None and f"≤ {bounds.max:g}")
    return " and ".join(text for text in ends if text)


def in_words(found: Estimate) -> str:
    return f"{found.value:.4g}, {found.low:.4g} to {found.high:.4g} with {100 * found.confidence:.4g}% confidence"


def what_would_decide(bounds: Threshold, found: Estimate) -> str:
    """Of an interval with a bound inside, whose width falls with the root of the rows."""
    below = bounds.min is not None and found.low < bounds.min
    bound, end, way = (bounds.min, found.low, "less") if below else (bounds.max, found.high, "more")
    other = f"a bound of {end:.3g} or {way} would pass: it is inside the interval"
    gap = abs(found.value - (bound or 0.0))
    if not within(bounds, found.value) or gap == 0:
        return f"a better model, or {other}"
    rows = float(f"{found.rows * ((found.value - end) / gap) ** 2:.2g}")
    return f"about {rows:,.0f} rows of hold-out in place of {found.rows:,}, or {other}"


def _ends(bounds: Threshold) -> tuple[float, float]:
    low, high = bounds.min, bounds.max
    return -math.inf if low is None else low, math.inf if high is None else high
