"""The checks of a step, each three-valued: surely worse than the limit, surely not, or too little seen to say."""

from collections.abc import Callable

from services.contract.rollout_plan import RolloutPlan
from services.contract.verdict import Check, Verdict
from services.rollout.analysis.answers import by_chance, stability
from services.rollout.analysis.intervals import difference, wilson
from services.rollout.analysis.window import Side, Window

GATE = "rollout"
ERRORS, REFUSED, SLOW, ANSWERS = "errors", "refused", "latency", "answers"
RESTARTS, MEMORY, AGREEMENT = "restarts", "memory", "agreement"
_FAST_SHARE = 0.95
_MEGABYTE = 1 << 20


def judge(window: Window, plan: RolloutPlan, level: float) -> tuple[Check, ...]:
    """All checks of a step; `level` is the probability with which one of them may be wrong, divided among them.

    A step that is looked at several times divides it among its looks as well: Bonferroni, since they are not apart.
    """
    checks = (_errors, _refused, _latency, _answers, _restarts, _memory, _agreement)
    each = level / len(checks)
    return tuple(found for check in checks if (found := check(window, plan, each)))


def _errors(window: Window, plan: RolloutPlan, level: float) -> Check:
    return _share_check(ERRORS, "errors", window, plan, level, lambda side: side.errors, plan.limits.errors)


def _refused(window: Window, plan: RolloutPlan, level: float) -> Check:
    """A model without a finite answer refuses a row, as one does that cannot take it."""
    words = "requests refused"
    return _share_check(REFUSED, words, window, plan, level, lambda side: side.refused, plan.limits.errors)


def _latency(window: Window, plan: RolloutPlan, level: float) -> Check:
    limits, usual = plan.limits, window.live.latencies.quantile_bound(_FAST_SHARE)
    if usual is None:
        return _too_few(SLOW, f"at most {limits.slow:.0%} more slow requests", window, plan)
    bound = next((one for one in window.live.latencies.bounds if one >= usual * limits.latency_ratio), None)
    if bound is None:
        return _check(SLOW, Verdict.PASS, "latencies that can be told apart", f"all of them beyond {usual:g} s")
    words = f"requests slower than {bound * 1000:g} ms"
    return _share_check(SLOW, words, window, plan, level, lambda side: side.latencies.slower_than(bound), limits.slow)


def _answers(window: Window, plan: RolloutPlan, level: float) -> Check:
    limit = plan.limits.stability
    expected = f"answers that moved by a stability index of at most {limit:g}"
    live, candidate = (sum(side.answers.values()) for side in (window.live, window.candidate))
    if min(live, candidate) < plan.min_requests:
        return _inconclusive(ANSWERS, expected, min(live, candidate), plan, "answers of each side")
    index, bins = stability(window.live.answers, window.candidate.answers)
    chance = by_chance((live, candidate), bins, level)
    verdict = Verdict.FAIL if index > limit + chance else Verdict.PASS
    return _check(ANSWERS, verdict, expected, f"{index:.3f} of {candidate} answers, {chance:.3f} may be chance")


def _restarts(window: Window, _plan: RolloutPlan, _level: float) -> Check:
    found = window.candidate.restarts
    return _check(RESTARTS, Verdict.FAIL if found else Verdict.PASS, "a candidate that stays", f"{found} restarts")


def _memory(window: Window, plan: RolloutPlan, _level: float) -> Check:
    """Of the candidate beyond what the live one gained, which has the same requests to answer."""
    gained = [(now - then) / _MEGABYTE for then, now in (window.candidate.resident_bytes, window.live.resident_bytes)]
    more, limit = gained[0] - max(0.0, gained[1]), plan.limits.megabytes
    verdict = Verdict.FAIL if more > limit else Verdict.PASS
    return _check(MEMORY, verdict, f"at most {limit:g} MB gained beyond the live release", f"{more:.0f} MB")


def _agreement(window: Window, plan: RolloutPlan, level: float) -> Check | None:
    """None where nothing was shadowed."""
    if not plan.shadow:
        return None
    limit = plan.limits.disagreement
    expected = f"at most {limit:.1%} of the answers other than the live release's"
    if window.compared < plan.min_requests:
        return _inconclusive(AGREEMENT, expected, window.compared, plan, "compared answers")
    interval = wilson(window.disagreed, window.compared, level)
    found = f"{window.disagreed / window.compared:.2%} of {window.compared}, {_shown(interval)}"
    return _check(AGREEMENT, _verdict(interval, limit), expected, found)


def _share_check(
    name: str,
    words: str,
    window: Window,
    plan: RolloutPlan,
    level: float,
    count: Callable[[Side], int],
    margin: float,
) -> Check:
    expected = f"at most {margin:.1%} more {words} than the live release"
    if window.candidate.requests < plan.min_requests or not window.live.requests:
        return _too_few(name, expected, window, plan)
    candidate, live = ((count(side), side.requests) for side in (window.candidate, window.live))
    interval = difference(candidate, live, level)
    found = f"{candidate[0]} of {candidate[1]} against {live[0]} of {live[1]}, {_shown(interval)} more"
    return _check(name, _verdict(interval, margin), expected, found)


def _verdict(interval: tuple[float, float], limit: float) -> Verdict:
    low, high = interval
    if low > limit:
        return Verdict.FAIL
    return Verdict.PASS if high <= limit else Verdict.INCONCLUSIVE


def _shown(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2%} to {interval[1]:.2%}"


def _check(name: str, verdict: Verdict, expected: str, found: str) -> Check:
    return Check(name=name, verdict=verdict, expected=expected, found=found, gate=GATE)


def _too_few(name: str, expected: str, window: Window, plan: RolloutPlan) -> Check:
    found = f"{window.candidate.requests} of at least {plan.min_requests} requests, and {window.live.requests} live"
    return _check(name, Verdict.INCONCLUSIVE, expected, found)


def _inconclusive(name: str, expected: str, seen: int, plan: RolloutPlan, what: str) -> Check:
    return _check(name, Verdict.INCONCLUSIVE, expected, f"{seen} of at least {plan.min_requests} {what}")
