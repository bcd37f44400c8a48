"""The steps of a plan, and what follows from what was seen in one of them."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from services.contract.rollout_plan import RolloutPlan, WhenInconclusive
from services.contract.rollout_step import Step, StepKind
from services.contract.verdict import Check, Verdict, overall


class Next(StrEnum):
    STAY = "stay"
    GO_ON = "go on"
    BACK = "back"


def steps_before(plan: RolloutPlan) -> Iterator[Step]:
    """Those in which the release before is live."""
    if plan.shadow:
        yield Step(kind=StepKind.SHADOW, seconds=plan.shadow.duration, share=plan.shadow.share)
    for share in plan.canary:
        yield Step(kind=StepKind.CANARY, seconds=plan.step, share=share)


def bake(plan: RolloutPlan) -> Step | None:
    return Step(kind=StepKind.BAKE, seconds=plan.bake) if plan.bake else None


def decide(plan: RolloutPlan, step: Step, elapsed: float, checks: Sequence[Check]) -> Next:
    """`elapsed` are seconds since the step began. What failed goes back at once; the rest is decided at its end."""
    verdict = overall(checks)
    if verdict is Verdict.FAIL:
        return Next.BACK
    if elapsed < step.seconds:
        return Next.STAY
    if verdict is Verdict.PASS:
        return Next.GO_ON
    return _undecided(plan, step, elapsed)


def _undecided(plan: RolloutPlan, step: Step, elapsed: float) -> Next:
    # In the bake it has taken over already: going back for want of requests would help nobody.
    if plan.inconclusive is WhenInconclusive.PROMOTE or (
        step.kind is StepKind.BAKE and plan.inconclusive is WhenInconclusive.WAIT
    ):
        return Next.GO_ON
    if plan.inconclusive is WhenInconclusive.BACK:
        return Next.BACK
    return Next.STAY if elapsed < step.seconds + plan.wait else Next.BACK
