"""A step is judged by what both sides did in the same time, and by nothing when that was too little."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from services.contract.rollout_plan import Limits, RolloutPlan, Shadow
from services.contract.verdict import Verdict
from services.rollout.analysis.checks import judge
from services.rollout.analysis.intervals import difference, wilson
from services.rollout.analysis.window import Latencies, Side, Window

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


def verdicts(window: Window, plan: RolloutPlan = PLAN) -> dict[str, Verdict]:
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
        ("memory", replace(side(), resident_bytes=(80 << 20, 300 << 20))),
    ],
)
def test_each_fault_fails_the_check_of_its_name_and_no_other(name: str, bad: Side) -> None:
    found = verdicts(Window(candidate=bad, live=side()))
    assert {check for check, verdict in found.items() if verdict is Verdict.FAIL} == {name}


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
    grown = replace(side(), resident_bytes=(80 << 20, 400 << 20))
    assert verdicts(Window(grown, grown))["memory"] is Verdict.PASS


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
    assert errors.found.startswith("40 of 1000 against 1 of 1000, ")


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
