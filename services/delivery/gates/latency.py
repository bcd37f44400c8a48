"""The latency gate: 99th percentile of a row's own milliseconds in the form that will answer, without those that other
processes took."""

from collections.abc import Sequence

from services.contract.row_times import Round, RowTime, best, by_clock, own, processor
from services.contract.verdict import LATENCY, Check, Verdict

AGAIN = "run this stage again"


def judge_latency(rounds: Sequence[Round], limit_ms: float) -> Check:
    """Passes when the best round is within the limit, fails when every round is surely beyond it."""
    p99 = best(rounds).p99(own)
    if p99 <= limit_ms:
        return _check(Verdict.PASS, limit_ms, f"p99 {p99:.1f} ms{_beside(rounds, limit_ms)}")
    if all(one.p99(_surely) > limit_ms for one in rounds):
        return _check(Verdict.FAIL, limit_ms, f"p99 {p99:.1f} ms, {_processor(rounds)}, in the best of {len(rounds)}")
    found = f"p99 {best(rounds).p99(by_clock):.1f} ms by the clock, {_processor(rounds)}"
    return _check(Verdict.INCONCLUSIVE, limit_ms, f"the machine is busy with others ({found}): {AGAIN}")


def judge_beside_live(rounds: Sequence[Round], live: Sequence[Round], limit_ms: float) -> Check:
    """Of a miss that was measured again in turns with the live release: nobody is stopped by what both miss."""
    found = judge_latency(rounds, limit_ms)
    if found.verdict is Verdict.PASS or not live:
        return found
    of_live = best(live).p99(own)
    if of_live > limit_ms:
        both = f"the live release misses it here and now as well: p99 {of_live:.1f} ms, this one {found.found}"
        return _check(Verdict.INCONCLUSIVE, limit_ms, f"{both}: {AGAIN}, or set latency_p99_ms to what is needed")
    beside = f"; the live release, asked in turns with it, p99 {of_live:.1f} ms"
    return found.model_copy(update={"found": found.found + beside})


def figures(rounds: Sequence[Round]) -> dict[str, float]:
    """Milliseconds of the best round: median and 99th percentile of a row's own time, and of the clock."""
    if not rounds:
        return {}
    chosen = best(rounds)
    return {"p50": chosen.percentile(0.5, own), "p99": chosen.p99(own), "p99_by_the_clock": chosen.p99(by_clock)}


def _surely(row: RowTime) -> float:
    return row.least


def _check(verdict: Verdict, limit_ms: float, found: str) -> Check:
    return Check(name=LATENCY, gate=LATENCY, verdict=verdict, expected=f"p99 ≤ {limit_ms:g} ms a row", found=found)


def _processor(rounds: Sequence[Round]) -> str:
    return f"{best(rounds).p99(processor):.1f} ms of CPU"


def _beside(rounds: Sequence[Round], limit_ms: float) -> str:
    by_the_clock = best(rounds).p99(by_clock)
    return f", {by_the_clock:.1f} ms by the clock: the machine is busy with others" if by_the_clock > limit_ms else ""
