"""The gates compare and compare-slices: whether a candidate is no worse than live by more than model.yaml allows.

Source: Piaggio et al., Reporting of Noninferiority and Equivalence Randomized Trials, JAMA 308 (2012): an interval that
lies above what is allowed shows it, one below shows the contrary, any other shows nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy

from services.contract.comparison import Difference
from services.contract.gates import CompareGate
from services.contract.task import BETTER_ABOVE
from services.contract.verdict import Check, Verdict
from services.delivery.statistics.holm import holm
from services.delivery.statistics.intervals import Paired

ALL_ROWS, SLICES = "compare", "compare-slices"


@dataclass(frozen=True)
class Look:
    """What was measured, how much worse is allowed there, and the probability of such resamples or worse if the
    candidate were just no worse than that."""

    found: Paired
    allowed: float
    p_value: float


def differences(found: Sequence[Paired], gate: CompareGate) -> tuple[Difference, ...]:
    """Those that have a value in both models: first the one that decides, whose interval needs no correction; then the
    slices, which decide together; then all other metrics, which only tell."""
    looks = [_look(one, gate, found) for one in found if _is_finite(one)]
    deciding, slices = (
        [one for one in looks if one.found.metric == gate.metric and (one.found.slice is None) is whole]
        for whole in (True, False)
    )
    others = [one for one in looks if one.found.metric != gate.metric]
    return (
        *(_difference(one, one.p_value, _by_interval(one, gate.min_rows)) for one in deciding),
        *_corrected(slices, gate),
        *_corrected(others, gate),
    )


def _is_finite(found: Paired) -> bool:
    numbers = (found.candidate, found.live, found.better_by, found.low, found.high)
    return bool(numpy.isfinite(numbers).all())


def _look(found: Paired, gate: CompareGate, all_found: Sequence[Paired]) -> Look:
    allowed = _allowed(found, gate, all_found)
    known = found.resampled[numpy.isfinite(found.resampled)]
    # The value itself counts as one of the resamples, so that no p value is 0: Davison and Hinkley, Bootstrap Methods
    # and their Application (1997), section 4.2.
    p_value = (numpy.count_nonzero(known >= -allowed) + 1) / (len(known) + 1)
    return Look(found, allowed, float(p_value))


def _allowed(found: Paired, gate: CompareGate, all_found: Sequence[Paired]) -> float:
    """A margin in a metric's unit says of other metrics what share of their error it is of its own."""
    margin = gate.margin if found.slice is None else gate.slice_margin
    if margin.relative is not None or found.metric == gate.metric:
        return margin.of(error_of(found.metric, found.live))
    own = next(one for one in all_found if one.metric == gate.metric and one.slice == found.slice)
    error = error_of(gate.metric, own.live)
    return margin.of(error) / error * error_of(found.metric, found.live) if error > 0 else 0.0


def error_of(metric: str, value: float) -> float:
    """What a metric lacks of 1 where that is its best value."""
    return 1 - value if metric in BETTER_ABOVE else value


def _by_interval(look: Look, min_rows: int) -> Verdict:
    if look.found.rows < min_rows:
        return Verdict.INCONCLUSIVE
    if look.found.low >= -look.allowed:
        return Verdict.PASS
    return Verdict.FAIL if look.found.high < -look.allowed else Verdict.INCONCLUSIVE


def _corrected(looks: Sequence[Look], gate: CompareGate) -> Iterator[Difference]:
    """Worse is only what Holm's correction leaves, with the confidence that the interval has on that side."""
    for look, adjusted in zip(looks, holm([one.p_value for one in looks]), strict=True):
        worse = adjusted <= (1 - gate.confidence) / 2
        no_worse = Verdict.PASS if look.found.low >= -look.allowed else Verdict.INCONCLUSIVE
        yield _difference(look, adjusted, Verdict.FAIL if worse else no_worse)


def _difference(look: Look, adjusted: float, verdict: Verdict) -> Difference:
    found = look.found
    return Difference(
        metric=found.metric,
        slice=found.slice,
        rows=found.rows,
        candidate=found.candidate,
        live=found.live,
        better_by=found.better_by,
        low=found.low,
        high=found.high,
        allowed=look.allowed,
        p_value=look.p_value,
        adjusted_p_value=adjusted,
        verdict=verdict,
    )


def decides(found: Sequence[Difference], gate: CompareGate) -> bool:
    """Whether the first of them is the compared metric on all rows."""
    return bool(found) and (found[0].metric, found[0].slice) == (gate.metric, None)


def checks(found: Sequence[Difference], gate: CompareGate) -> list[Check]:
    """That of all rows, which is the first of `found`, and that of the slices where there are any."""
    slices = [one for one in found if one.metric == gate.metric and one.slice is not None]
    return [_of_all_rows(found[0], gate), *([_of_slices(slices)] if slices else [])]


def _of_all_rows(found: Difference, gate: CompareGate) -> Check:
    few = f" on {found.rows} rows, fewer than {gate.min_rows}" if found.rows < gate.min_rows else ""
    return Check(
        name=ALL_ROWS,
        gate=ALL_ROWS,
        verdict=found.verdict,
        expected=f"{found.metric} at most {found.allowed:.4g} worse than live",
        found=f"{better_or_worse(found.low, found.high)} with {gate.confidence:.0%} confidence{few}",
    )


def _of_slices(slices: Sequence[Difference]) -> Check:
    """Passes unless a slice is surely worse: small slices are never sure, and would stop every candidate."""
    worse = worse_slices(slices)
    listed = "; ".join(
        f"{one.slice}: {one.candidate:.4g}, live has {one.live:.4g}, {one.allowed:.4g} worse is allowed "
        f"(p {one.adjusted_p_value:.2g})"
        for one in worse
    )
    looks = f"{len(slices)} slice{'s' if len(slices) > 1 else ''}"
    return Check(
        name=SLICES,
        gate=SLICES,
        verdict=Verdict.FAIL if worse else Verdict.PASS,
        expected=f"{slices[0].metric} of no slice surely worse than live by more than is allowed",
        found=listed or f"none of {looks}",
    )


def worse_slices(found: Iterable[Difference]) -> list[Difference]:
    """The surest first."""
    return sorted((one for one in found if one.verdict is Verdict.FAIL), key=lambda one: one.p_value)


def better_or_worse(low: float, high: float) -> str:
    """An interval of how much better, in words."""
    nearer, further = sorted((abs(low), abs(high)))
    if low >= 0:
        return f"{nearer:.4g} to {further:.4g} better"
    if high <= 0:
        return f"{nearer:.4g} to {further:.4g} worse"
    return f"from {abs(low):.4g} worse to {abs(high):.4g} better"
