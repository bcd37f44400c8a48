"""The checks of a step, each three-valued: surely worse than the limit, surely not, or too little seen to say."""

from collections.abc import Callable, Iterator

from services.contract.rollout_plan import RolloutPlan
from services.contract.verdict import Check, Verdict
from services.rollout.analysis.answers import limits as stability_limits
from services.rollout.analysis.answers import stability
from services.rollout.analysis.intervals import difference, wilson
from services.rollout.analysis.memory import FEWEST_LOOKS, by_part
from services.rollout.analysis.pace import mostly_slower
from services.rollout.analysis.window import Side, Window

GATE = "rollout"
ERRORS, REFUSED, SLOW, ANSWERS = "errors", "refused", "latency", "answers"
RESTARTS, MEMORY, AGREEMENT = "restarts", "memory", "agreement"
# With which a candidate at a limit passes one check. A step is good when all of them pass, so it is not divided among
# them (Berger, 1982, intersection-union tests), nor among the looks, of which only those at the end let it go on.
PASS_LEVEL = 0.05
# What grows by so much of the limit in each quarter of its requests has not warmed up, it leaks.
_STEADY = 1 / 40
_HALF, _FAST_SHARE = 0.5, 0.95
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


def judge(window: Window, plan: RolloutPlan, level: float) -> tuple[Check, ...]:
    """All checks of a step; `level` is the probability with which one of them may fail a candidate that is within its
    limits, divided among those that chance can fail. Who looks several times divides it among the looks as well:
    Bonferroni, since they are not apart."""
    by_chance = (_errors, _refused, _latency, _answers, *([_agreement] if plan.shadow else []))
    each = level / len(by_chance)
    found = [check(window, plan, each) for check in by_chance]
    return (*found[:4], _restarts(window), _memory(window, plan), *found[4:])


def _errors(window: Window, plan: RolloutPlan, level: float) -> Check:
    """What fails its first requests is asked rarely, so they have to be enough to fail it."""
    margin = plan.limits.errors
    return _share_check(ERRORS, "errors", window, plan, level, lambda side: side.errors, margin, fewest=1)


def _refused(window: Window, plan: RolloutPlan, level: float) -> Check:
    """A model without a finite answer refuses a row, as one does that cannot take it."""
    words = "requests refused"
    return _share_check(REFUSED, words, window, plan, level, lambda side: side.refused, plan.limits.errors)


def _latency(window: Window, plan: RolloutPlan, level: float) -> Check:
    """Of two modes one alone may have become slower, so the median counts beside the slow ones."""
    found = [*_slower(window, plan, level)]
    return min(found, key=lambda check: _WORST_FIRST.index(check.verdict))


def _slower(window: Window, plan: RolloutPlan, level: float) -> Iterator[Check]:
    """The 95th percentile first."""
    live, ratio, slow = window.live, plan.limits.latency_ratio, plan.limits.slow
    for share, name, margin in ((_FAST_SHARE, "95th percentile", slow), (_HALF, "median", max(_HALF, slow))):
        words = f"requests slower than {ratio:g} times the {name}"
        if min(window.candidate.requests, live.requests) < plan.min_requests:
            yield _too_few(SLOW, f"at most {margin:.1%} more {words} of the live release", window, plan)
            continue
        usual, bounds = live.latencies.quantile(share), live.latencies.bounds
        if usual is None or usual * ratio > bounds[-1]:
            told = f"a live release whose {name} has no room below the last of them"
            yield _check(SLOW, Verdict.PASS, f"latencies up to {bounds[-1] if bounds else 0:g} s", told)
            continue
        bound = usual * ratio
        words = f"requests slower than {bound * 1000:.3g} ms, {ratio:g} times the {name},"
        found = _share_check(SLOW, words, window, plan, level / 2, _slower_than(bound), margin)
        if found.verdict is Verdict.FAIL and not mostly_slower(window.paces, bound, margin):
            told = f"{found.found}, but not at most of {len(window.paces)} looks yet"
            found = found.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "found": told})
        yield found


def _slower_than(seconds: float) -> Callable[[Side], int]:
    return lambda side: side.latencies.slower_than(seconds)


def _answers(window: Window, plan: RolloutPlan, level: float) -> Check:
    limit = plan.limits.stability
    expected = f"answers that moved from the live release's by a stability index of at most {limit:g}"
    sizes = (sum(window.live.answers.values()), sum(window.candidate.answers.values()))
    if min(sizes) < plan.min_requests:
        if min(window.live.requests, window.candidate.requests) < plan.min_requests:
            return _inconclusive(ANSWERS, expected, min(sizes), plan, "answers of each side")
        told = f"answers to {min(sizes)} different rows only, which have no distribution to compare"
        return _check(ANSWERS, Verdict.PASS, expected, told)
    index, groups = stability(window.live.answers, window.candidate.answers)
    low, high = stability_limits(limit, sizes, groups, (PASS_LEVEL, level))
    verdict = Verdict.FAIL if index > high else Verdict.PASS if index <= low else Verdict.INCONCLUSIVE
    found = f"{index:.3f} of {sizes[1]} answers against {sizes[0]} live; by chance {limit:g} is seen as"
    return _check(ANSWERS, verdict, expected, f"{found} {low:.3f} to {high:.3f}")


def _restarts(window: Window) -> Check:
    """An accident of the machine ends both."""
    found, live = window.candidate.restarts, window.live.restarts
    words = f"{found} worker processes that ended or hung, {live} of the live release"
    return _check(RESTARTS, Verdict.FAIL if found > live else Verdict.PASS, "a candidate that stays", words)


def _memory(window: Window, plan: RolloutPlan) -> Check:
    """Beyond what the live one gained, which has the same requests to answer. What it gains in the first half of its
    requests may be caches; what it gains in every quarter of them goes on."""
    limit, seen = plan.limits.megabytes, window.memory
    steady = limit * _STEADY
    expected = f"at most {limit:g} MB gained in the last half of its requests, nor {steady:g} MB in every quarter"
    if not seen or seen[-1].requests < plan.min_requests:
        return _inconclusive(MEMORY, expected, seen[-1].requests if seen else 0, plan, "requests")
    parts = by_part(seen)
    leaks = sum(parts[2:]) > limit or (len(seen) > FEWEST_LOOKS and min(parts) > steady)
    told = ", ".join(f"{part:.0f}" for part in parts)
    each = sum(parts) * 1024 / seen[-1].requests
    found = f"{told} MB in the quarters of {seen[-1].requests} requests, {each:.0f} kB a request"
    return _check(MEMORY, Verdict.FAIL if leaks else Verdict.PASS, expected, found)


def _agreement(window: Window, plan: RolloutPlan, level: float) -> Check:
    limit = plan.limits.disagreement
    expected = f"at most {limit:.1%} of the answers other than the live release's"
    if window.compared < plan.min_requests:
        return _inconclusive(AGREEMENT, expected, window.compared, plan, "compared answers")
    verdict, shown = _held(lambda each: wilson(window.disagreed, window.compared, each), limit, level)
    found = f"{window.disagreed / window.compared:.2%} of {window.compared}, surely {shown}"
    return _check(AGREEMENT, verdict, expected, found)


def _share_check(
    name: str,
    words: str,
    window: Window,
    plan: RolloutPlan,
    level: float,
    count: Callable[[Side], int],
    margin: float,
    fewest: int | None = None,
) -> Check:
    """`fewest` requests can fail it, and none pass with fewer than the plan's."""
    expected = f"at most {margin:.1%} more {words} than the live release"
    if window.candidate.requests < (fewest or plan.min_requests) or not window.live.requests:
        return _too_few(name, expected, window, plan)
    candidate, live = ((count(side), side.requests) for side in (window.candidate, window.live))
    verdict, shown = _held(lambda each: difference(candidate, live, each), margin, level)
    if verdict is not Verdict.FAIL and window.candidate.requests < plan.min_requests:
        return _too_few(name, expected, window, plan)
    return _check(name, verdict, expected, f"{_counted(candidate)} against {_counted(live)} live, surely {shown} more")


def _held(interval: Callable[[float], tuple[float, float]], limit: float, level: float) -> tuple[Verdict, str]:
    """Against a limit from above: one side of an interval each, of twice the level."""
    if (low := interval(2 * level)[0]) > limit:
        return Verdict.FAIL, f"at least {low:.2%}"
    high = interval(2 * PASS_LEVEL)[1]
    return (Verdict.PASS if high <= limit else Verdict.INCONCLUSIVE), f"at most {high:.2%}"


def _counted(found: tuple[int, int]) -> str:
    return f"{found[0]} of {found[1]} ({found[0] / found[1]:.2%})"


def _check(name: str, verdict: Verdict, expected: str, found: str) -> Check:
    return Check(name=name, verdict=verdict, expected=expected, found=found, gate=GATE)


def _too_few(name: str, expected: str, window: Window, plan: RolloutPlan) -> Check:
    found = f"{window.candidate.requests} of at least {plan.min_requests} requests, and {window.live.requests} live"
    return _check(name, Verdict.INCONCLUSIVE, expected, found)


def _inconclusive(name: str, expected: str, seen: int, plan: RolloutPlan, what: str) -> Check:
    return _check(name, Verdict.INCONCLUSIVE, expected, f"{seen} of at least {plan.min_requests} {what}")
