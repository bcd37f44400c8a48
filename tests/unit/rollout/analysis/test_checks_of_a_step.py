"""A step is judged by what both sides did in the same time, and by nothing when that was too little."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import log

import pytest

from services.contract.rollout_plan import Limits, RolloutPlan, Shadow
from services.contract.verdict import Verdict
from services.rollout.analysis.answers import limits, stability
from services.rollout.analysis.checks import judge
from services.rollout.analysis.intervals import difference, wilson
from services.rollout.analysis.latencies import Latencies
from services.rollout.analysis.memory import Gained, Growth, by_part
from services.rollout.analysis.pace import Pace, Paces
from services.rollout.analysis.window import Side, Window

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
PLAN = RolloutPlan(min_requests=200)
LEVEL = 0.05


def latencies(seconds: Sequence[float]) -> Latencies:
    places = [next((n for n, bound in enumerate(BOUNDS) if one <= bound), len(BOUNDS)) for one in seconds]
    return Latencies(BOUNDS, tuple(places.count(place) for place in range(len(BOUNDS) + 1)))


def binned(answers: Iterable[float]) -> dict[str, int]:
    return Counter(f"{answer:.0f}" for answer in answers)


def side(requests: int = 1000, errors: int = 0, seconds: float = 0.003, slow: int = 0, mean: float = 0.0) -> Side:
    """`slow` of the requests took 80 ms, the others `seconds`; the answers are normal around `mean`."""
    draws = random.Random(f"{requests} {mean}")
    return Side(
        requests=requests,
        errors=errors,
        refused=0,
        latencies=latencies([0.08] * slow + [seconds] * (requests - slow)),
        answers=binned(draws.gauss(mean, 1) for _ in range(requests)),
    )


def gained(*megabytes: float) -> list[Gained]:
    """At one look after another, with a hundred requests between two."""
    return [Gained(100 * place, int(more * (1 << 20))) for place, more in enumerate(megabytes)]


STILL = gained(*[0.0] * 11)


def verdicts(window: Window, plan: RolloutPlan = PLAN) -> dict[str, Verdict]:
    window = window if window.memory else replace(window, memory=STILL)
    always = [Pace(window.candidate.latencies, window.live.latencies)] * 9
    window = window if window.paces else replace(window, paces=always)
    return {check.name: check.verdict for check in judge(window, plan, LEVEL)}


def test_a_candidate_that_does_as_well_passes_every_check() -> None:
    found = verdicts(Window(candidate=side(), live=side()))
    assert set(found.values()) == {Verdict.PASS}
    assert set(found) == {"errors", "refused", "latency", "answers", "restarts", "memory"}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("errors", side(errors=40)),
        ("latency", side(slow=200)),
        ("answers", side(mean=1.0)),
        ("refused", replace(side(), refused=40)),
        ("restarts", replace(side(), restarts=1)),
    ],
)
def test_each_fault_fails_the_check_of_its_name_and_no_other(name: str, bad: Side) -> None:
    found = verdicts(Window(candidate=bad, live=side()))
    assert {check for check, verdict in found.items() if verdict is Verdict.FAIL} == {name}


@pytest.mark.parametrize(
    ("what", "megabytes", "verdict"),
    [
        ("a leak that is small yet", [6 * place for place in range(11)], Verdict.FAIL),
        ("a leak", [60 * place for place in range(11)], Verdict.FAIL),
        ("caches that fill at the begin", [0, 90, 170, 240, 300, *[310] * 6], Verdict.PASS),
        ("a little, all the time", list(range(11)), Verdict.PASS),
        ("one step late", [0] * 9 + [150, 150], Verdict.PASS),
        ("a large step late", [0] * 8 + [250] * 3, Verdict.FAIL),
        ("what comes and goes", [0, 30, 0, 30, 0, 30, 0, 30, 0, 30, 0], Verdict.PASS),
        ("what has answered too little", [0, 90], Verdict.INCONCLUSIVE),
    ],
)
def test_what_goes_on_growing_is_told_from_what_warms_up(what: str, megabytes: list[float], verdict: Verdict) -> None:
    assert verdicts(Window(side(), side(), memory=gained(*megabytes)))["memory"] is verdict, what


def test_a_long_step_keeps_few_looks_and_its_quarters() -> None:
    growth = Growth(0)
    for place in range(1, 10_001):
        growth.look(place, place << 20)
    assert len(growth.seen) < 600
    assert by_part(growth.seen) == pytest.approx([2500] * 4, abs=40)


def test_one_that_fails_all_its_first_requests_needs_no_more_of_them() -> None:
    """After five the live release asks it no more."""
    found = verdicts(Window(candidate=side(requests=5, errors=5), live=side()))
    assert found["errors"] is Verdict.FAIL
    assert verdicts(Window(candidate=side(requests=3), live=side()))["errors"] is Verdict.INCONCLUSIVE
    assert verdicts(Window(candidate=side(requests=0), live=side(requests=0)))["errors"] is Verdict.INCONCLUSIVE


def test_one_that_ends_while_the_live_release_ends_as_well_is_not_to_blame() -> None:
    ended = replace(side(), restarts=1)
    assert verdicts(Window(ended, ended))["restarts"] is Verdict.PASS
    assert verdicts(Window(replace(side(), restarts=2), ended))["restarts"] is Verdict.FAIL


def test_a_million_requests_fail_nobody_within_the_limits() -> None:
    live = Side(10**6, 10_000, 0, Latencies(BOUNDS, (0, 0, 900_000, 100_000, 0, 0, 0, 0)), {"1": 500_000, "2": 500_000})
    near = Latencies(BOUNDS, (0, 0, 880_000, 120_000, 0, 0, 0, 0))
    candidate = replace(live, errors=15_000, latencies=near, answers={"1": 600_000, "2": 400_000})
    assert set(verdicts(Window(candidate, live)).values()) == {Verdict.PASS}


@pytest.mark.parametrize("ratio", [2.0, 3.0])
@pytest.mark.parametrize("usual", [0.0021, 0.003, 0.0049, 0.011])
def test_twice_as_slow_is_too_slow_wherever_the_bounds_are(usual: float, ratio: float) -> None:
    bounds = tuple(0.001 * 2 ** (place / 2) for place in range(20))

    def spread(middle: float) -> Latencies:
        seconds = [middle * (0.9 + place / 5000) for place in range(1000)]
        places = Counter(bisect_left(bounds, one) for one in seconds)
        return Latencies(bounds, tuple(places[place] for place in range(21)))

    live, slow, equal = (replace(side(), latencies=spread(usual * by)) for by in (1, ratio, 1))
    assert verdicts(Window(slow, live))["latency"] is Verdict.FAIL
    assert verdicts(Window(equal, live))["latency"] is Verdict.PASS
    assert verdicts(Window(live, slow))["latency"] is Verdict.PASS


def test_a_moment_in_which_the_machine_had_something_else_to_do_is_not_the_candidates() -> None:
    """All of its slow requests came in one of nine seconds."""
    paces, slow = Paces(), [0, 0, *[150] * 7]
    for place, more in enumerate(slow, 1):
        paces.look(latencies([0.08] * more + [0.003] * (200 * place)), latencies([0.003] * 200 * place))
    once = Window(side(1950, slow=150), side(1800), paces=paces.seen)
    assert verdicts(once)["latency"] is Verdict.INCONCLUSIVE
    assert verdicts(replace(once, paces=paces.seen[2:3] * 9))["latency"] is Verdict.FAIL
    assert verdicts(replace(once, paces=paces.seen[2:3] * 4))["latency"] is Verdict.INCONCLUSIVE


def test_the_fast_of_two_modes_may_not_become_slow_unseen() -> None:
    live = replace(side(), latencies=Latencies(BOUNDS, (850, 0, 0, 0, 0, 0, 150, 0)))
    slow = replace(side(), latencies=Latencies(BOUNDS, (0, 0, 0, 0, 850, 0, 150, 0)))
    assert verdicts(Window(slow, live))["latency"] is Verdict.FAIL
    assert verdicts(Window(live, live))["latency"] is Verdict.PASS


@pytest.mark.parametrize(
    ("live", "candidate", "verdict"),
    [
        ({"7": 1000}, {"7": 1000}, Verdict.PASS),
        ({"7": 1000}, {"8": 1000}, Verdict.FAIL),
        ({"7": 10_000, "9": 2}, {"8": 300}, Verdict.FAIL),
        ({"7": 500, "9": 500}, {"7": 520, "9": 480}, Verdict.PASS),
        ({"7": 500, "9": 500}, {"7": 1000}, Verdict.FAIL),
    ],
)
def test_answers_of_few_kinds(live: dict[str, int], candidate: dict[str, int], verdict: Verdict) -> None:
    window = Window(replace(side(), answers=candidate), replace(side(), answers=live))
    assert verdicts(window)["answers"] is verdict


def test_answers_to_a_few_rows_that_are_asked_again_and_again_are_not_compared() -> None:
    few, other = (replace(side(), answers=answers) for answers in ({"7": 5}, {"8": 5}))
    assert verdicts(Window(other, few))["answers"] is Verdict.PASS
    assert verdicts(Window(replace(other, requests=5), few))["answers"] is Verdict.INCONCLUSIVE


def test_the_index_is_that_of_its_definition() -> None:
    """Of shares 0.4 and 0.6 on one side and 0.6 and 0.4 on the other: twice 0.2 log(0.6 / 0.4)."""
    index, groups = stability({"1": 400, "2": 600}, {"1": 600, "2": 400})
    assert index == pytest.approx(0.4 * log(1.5))
    assert groups == 2
    low, high = limits(0.25, (10**6, 10**6), 20, (0.05, 1e-6))
    assert 0.24 < low < 0.25 < high < 0.26


def test_too_few_requests_are_no_verdict() -> None:
    found = verdicts(Window(candidate=side(requests=150, errors=2), live=side()))
    asked = ("errors", "refused", "latency", "answers")
    assert [found[name] for name in asked] == [Verdict.INCONCLUSIVE] * 4
    nobody_else = verdicts(Window(candidate=side(), live=side(requests=0)))
    assert nobody_else["errors"] is nobody_else["latency"] is Verdict.INCONCLUSIVE


def test_what_lies_around_the_limit_is_neither_good_nor_bad() -> None:
    assert verdicts(Window(candidate=side(errors=10), live=side()))["errors"] is Verdict.INCONCLUSIVE


def test_errors_that_the_live_release_has_as_well_are_not_the_candidates() -> None:
    assert verdicts(Window(candidate=side(20_000, errors=800), live=side(20_000, errors=800)))["errors"] is Verdict.PASS


def test_a_machine_that_is_slow_for_both_fails_nobody() -> None:
    found = verdicts(Window(candidate=side(seconds=0.03), live=side(seconds=0.03)))
    assert found["latency"] is Verdict.PASS


def test_latencies_beyond_all_bounds_fail_nobody() -> None:
    found = verdicts(Window(candidate=side(seconds=0.3), live=side(seconds=0.09)))
    assert found["latency"] is Verdict.PASS


def test_memory_that_the_live_release_gains_as_well_is_the_traffics() -> None:
    growth = Growth(80 << 20, 80 << 20)
    for place in range(1, 11):
        growth.look(100 * place, (80 + 40 * place) << 20, (80 + 40 * place) << 20)
    assert verdicts(Window(side(), side(), memory=growth.seen))["memory"] is Verdict.PASS


def test_shadowed_answers_must_agree_as_far_as_the_plan_says() -> None:
    plan = PLAN.model_copy(update={"shadow": Shadow(duration=60), "limits": Limits(disagreement=0.02)})
    window = Window(side(), side(), compared=1000)
    assert verdicts(window, plan)["agreement"] is Verdict.PASS
    assert verdicts(replace(window, disagreed=60), plan)["agreement"] is Verdict.FAIL
    assert verdicts(replace(window, disagreed=20), plan)["agreement"] is Verdict.INCONCLUSIVE
    assert verdicts(replace(window, compared=10), plan)["agreement"] is Verdict.INCONCLUSIVE


def test_labels_are_compared_by_how_often_each_is_answered() -> None:
    live = replace(side(), answers={"late": 500, "in time": 500})
    assert verdicts(Window(live, live))["answers"] is Verdict.PASS
    assert verdicts(Window(replace(live, answers={"late": 1000}), live))["answers"] is Verdict.FAIL


def test_the_words_say_what_was_seen() -> None:
    (errors, *_) = judge(Window(candidate=side(errors=40), live=side(errors=1)), PLAN, LEVEL)
    assert errors.expected == "at most 1.0% more errors than the live release"
    assert errors.found == "40 of 1000 (4.00%) against 1 of 1000 (0.10%) live, surely at least 2.59% more"


@pytest.mark.parametrize(
    ("count", "of", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
)
def test_the_interval_of_a_share_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    """The values of Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3."""
    assert wilson(count, of, 0.05) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("candidate", "live", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)],
)
def test_the_interval_of_a_difference_is_newcombes(
    candidate: tuple[int, int], live: tuple[int, int], low: float, high: float
) -> None:
    """Of Newcombe (1998), Interval estimation for the difference between proportions, table II, method 10."""
    assert difference(candidate, live, 0.05) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.thorough
def test_a_candidate_as_good_as_the_live_one_fails_no_more_often_than_it_may() -> None:
    draws = random.Random(18)
    failed = 0
    for _ in range(300):
        candidate, live = (
            replace(
                side(),
                errors=sum(draws.random() < 0.02 for _ in range(400)),
                requests=400,
                latencies=latencies([draws.expovariate(1 / 0.004) for _ in range(400)]),
                answers=binned(draws.gauss(0, 1) for _ in range(400)),
            )
            for _ in range(2)
        )
        failed += Verdict.FAIL in verdicts(Window(candidate, live)).values()
    assert failed <= 300 * LEVEL
