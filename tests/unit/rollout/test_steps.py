"""What follows from what a step has shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.contract.deployment import Action, Deployment
from services.contract.rollout_plan import RolloutPlan, Shadow, WhenInconclusive
from services.contract.rollout_step import Step, StepKind
from services.contract.verdict import Check, Verdict
from services.rollout.analysis.figures import Figures, Seen
from services.rollout.processes.listeners import Listeners
from services.rollout.steps.recent import EVERY_SECONDS, Recent
from services.rollout.steps.step import Next, bake, decide, steps_before
from services.rollout.steps.takeover import CAREFUL_LOOKS, LEVEL, QUICK_LEVEL, Looks, Takeover
from tests.support.rollout_fakes import FakeServing

CANARY = Step(kind=StepKind.CANARY, seconds=60, share=0.05)
BAKE = Step(kind=StepKind.BAKE, seconds=60)
PLAN = RolloutPlan(wait=600)
DEPLOYMENT = Deployment(
    model="m",
    revision="1-aaaaaaaa",
    release="a" * 64,
    run_id="a" * 32,
    action=Action.DEPLOY,
    at=datetime.now(UTC),
    by="ada",
    reason="",
)


def checks(*verdicts: Verdict) -> list[Check]:
    return [Check(name=str(n), verdict=one, expected="", found="") for n, one in enumerate(verdicts)]


PASSED, FAILED, UNDECIDED = (checks(Verdict.PASS, one) for one in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE))


def test_a_plan_without_steps_has_the_bake_alone() -> None:
    assert list(steps_before(RolloutPlan())) == []
    assert bake(RolloutPlan(bake=30.0)) == Step(kind=StepKind.BAKE, seconds=30)
    assert bake(RolloutPlan(bake=0)) is None


def test_shadow_comes_before_the_shares_of_the_canary() -> None:
    plan = RolloutPlan(shadow=Shadow(duration=120.0, share=0.2), canary=(0.05, 0.25), step=90.0)
    assert [(step.kind, step.seconds, step.share) for step in steps_before(plan)] == [
        ("shadow", 120, 0.2),
        ("canary", 90, 0.05),
        ("canary", 90, 0.25),
    ]
    assert [str(step) for step in steps_before(plan)] == ["shadow of 20%", "canary of 5%", "canary of 25%"]


def test_what_failed_goes_back_before_the_step_is_over() -> None:
    assert decide(PLAN, CANARY, 1, FAILED) is Next.BACK
    assert decide(PLAN, BAKE, 1, FAILED) is Next.BACK


def test_what_passes_stays_until_the_step_is_over() -> None:
    assert decide(PLAN, CANARY, 59, PASSED) is Next.STAY
    assert decide(PLAN, CANARY, 60, PASSED) is Next.GO_ON


@pytest.mark.parametrize(
    ("what", "elapsed", "expected"),
    [
        (WhenInconclusive.WAIT, 60, Next.STAY),
        (WhenInconclusive.WAIT, 660, Next.BACK),
        (WhenInconclusive.PROMOTE, 60, Next.GO_ON),
        (WhenInconclusive.BACK, 60, Next.BACK),
    ],
)
def test_too_few_requests_are_followed_by_what_the_plan_says(
    what: WhenInconclusive, elapsed: float, expected: Next
) -> None:
    plan = PLAN.model_copy(update={"inconclusive": what})
    assert decide(plan, CANARY, 59, UNDECIDED) is Next.STAY
    assert decide(plan, CANARY, elapsed, UNDECIDED) is expected


def test_a_bake_that_nobody_asked_in_goes_on_unless_the_plan_says_back() -> None:
    assert decide(PLAN, BAKE, 60, UNDECIDED) is Next.GO_ON
    back = PLAN.model_copy(update={"inconclusive": WhenInconclusive.BACK})
    assert decide(back, BAKE, 60, UNDECIDED) is Next.BACK


def test_a_step_has_as_many_careful_looks_as_its_level_is_divided_by() -> None:
    looks = Looks(3600.0)
    careful = [(second, level) for second in range(1, 3601) for is_careful, level in [looks.next(second)] if is_careful]
    assert len(careful) == CAREFUL_LOOKS
    assert careful[-1][0] == 3600
    assert sum(level for _, level in careful) == pytest.approx(LEVEL)


def test_a_short_step_is_looked_at_carefully_each_time() -> None:
    looks = Looks(3.0)
    assert [looks.next(elapsed) for elapsed in (1.0, 2.0, 3.0)] == [(True, LEVEL / 3)] * 3


def test_who_waits_for_more_requests_has_no_level_left_to_fail_by() -> None:
    looks = Looks(60.0)
    for second in range(1, 61):
        looks.next(second)
    assert {looks.next(second) for second in range(61, 300)} == {(True, QUICK_LEVEL), (False, QUICK_LEVEL)}


def test_a_bake_is_held_against_what_the_release_before_did_last(tmp_path: Path) -> None:
    now, counted = [0.0], [0]
    serving = FakeServing("m", "a" * 64, Listeners("127.0.0.1", 1, tmp_path))
    serving.sees = lambda: Seen(Figures({200: counted[0]}))
    recent = Recent(lambda: now[0])

    def before(seconds: float, requests: int) -> int:
        return recent.before(serving, serving.seen(), seconds, requests).figures.requests

    assert before(10, 1) == 0, "before anything was seen, all of its life"
    for minute in range(90):
        now[0], counted[0] = minute * EVERY_SECONDS, 100 * minute
        recent.look(serving)
        recent.look(serving)
    assert before(10, 1) == 8800
    assert before(300, 1) == 8400
    assert before(10, 2000) == 6900
    assert before(10, 7000) == 0, "so many it had not in an hour"
    other = FakeServing("m", "b" * 64, Listeners("127.0.0.1", 1, tmp_path))
    assert recent.before(other, other.seen(), 0, 0) == Seen()


def test_all_steps_of_a_plan_share_one_level() -> None:
    levels = list[float]()

    class Good:
        def look(self, level: float) -> Sequence[Check]:
            levels.append(level)
            return PASSED

    plan = RolloutPlan(canary=(0.05, 0.25), step=0.001, bake=0.001)
    takeover = Takeover(plan, DEPLOYMENT)
    for step in (*steps_before(plan), Step(kind=StepKind.BAKE, seconds=0.001)):
        takeover.take(step, Good())
    assert levels == [pytest.approx(LEVEL / 3)] * 3
