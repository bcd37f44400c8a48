"""What is seen of a step: a candidate beside what is live, or what is live beside the one before it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from services.contract.control_protocol import Split
from services.contract.errors import Refused
from services.contract.rollout_plan import RolloutPlan
from services.contract.rollout_step import Step, StepKind
from services.contract.verdict import Check, Verdict
from services.rollout.analysis.checks import GATE, judge
from services.rollout.analysis.figures import Seen
from services.rollout.analysis.memory import Growth
from services.rollout.analysis.pace import Paces
from services.rollout.analysis.window import Side, Window
from services.rollout.serving import Serving

ANSWERING = "answering"


class Superseded(Refused):
    """Something else is live than when the step began."""


class PairWatch:
    """Both from its begin on, while what is `live` hands on or copies the share of the `step`; a context manager.

    `live` is asked anew at each look: what had ended was started again, and must be told to hand on. Raises Superseded
    when it is None.
    """

    def __init__(self, live: Callable[[], Serving | None], candidate: Serving, step: Step, plan: RolloutPlan) -> None:
        self._live, self._candidate, self._plan = live, candidate, plan
        shadow = step.kind is StepKind.SHADOW
        self._split = Split(
            release=candidate.release,
            targets=candidate.targets(),
            share=step.share,
            sticky=plan.sticky,
            shadow=shadow,
            difference=plan.limits.difference,
        )
        self._told: Serving | None = None

    def __enter__(self) -> Self:
        self._tell(self._standing())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._told and self._told.alive():
            stop_handing_on(self._told)

    def look(self, level: float) -> Sequence[Check]:
        live = self._standing()
        if live is not self._told:
            self._tell(live)
        try:
            now = self._candidate.seen()
        except Refused as refusal:
            return (_silent(refusal),)
        try:
            figures = live.seen()
        except Refused as refusal:
            # It is started again, which says nothing of the candidate.
            return (_nothing_to_compare(refusal),)
        gained = figures.figures.since(self._before.figures)
        candidate = now.side(self._candidate_before, gained.failures)
        side = figures.side(self._before)
        window = Window(
            candidate=candidate,
            live=side,
            compared=gained.compared,
            disagreed=gained.disagreed,
            memory=self._growth.look(candidate.requests, now.resident_bytes, figures.resident_bytes),
            paces=self._paces.look(candidate.latencies, side.latencies),
        )
        return judge(window, self._plan, level)

    def _standing(self) -> Serving:
        if live := self._live():
            return live
        raise Superseded("something else became live meanwhile")

    def _tell(self, live: Serving) -> None:
        self._candidate_before, self._before = self._candidate.seen(), live.seen()
        self._growth = Growth(self._candidate_before.resident_bytes, self._before.resident_bytes)
        self._paces = Paces()
        live.hand_on(self._split)
        self._told = live


class BakeWatch:
    """What is live since it counted `begun`, beside what the one `before` it did in its last time.

    `live` is asked anew at each look: a process that was started again has ended, which is a restart.
    """

    def __init__(self, live: Callable[[], Serving | None], begun: Seen, before: Side, plan: RolloutPlan) -> None:
        self._live, self._begun, self._before = live, begun, before
        # Nobody asks both any more.
        self._plan = plan.model_copy(update={"shadow": None})
        self._serving = live()
        self._growth, self._paces = Growth(begun.resident_bytes), Paces(before.latencies)
        self._restarts = 0

    def look(self, level: float) -> Sequence[Check]:
        if not (serving := self._live()):
            raise Superseded("something else became live meanwhile")
        if serving is not self._serving:
            self._serving, self._begun, self._restarts = serving, Seen(), self._restarts + 1
        try:
            now = serving.seen()
        except Refused as refusal:
            return (_silent(refusal),)
        side = now.side(self._begun)
        candidate = replace(side, restarts=side.restarts + self._restarts)
        memory = self._growth.look(side.requests, now.resident_bytes)
        paces = self._paces.look(side.latencies, side.latencies)
        return judge(Window(candidate, self._before, memory=memory, paces=paces), self._plan, level)


def stop_handing_on(live: Serving) -> None:
    """What does not answer hands nothing on when it is back."""
    try:
        live.hand_on(None)
    except Refused:
        return


def _nothing_to_compare(refusal: Refused) -> Check:
    expected = "a live release that answers"
    return Check(name=ANSWERING, verdict=Verdict.INCONCLUSIVE, expected=expected, found=str(refusal), gate=GATE)


def _silent(refusal: Refused) -> Check:
    return Check(name=ANSWERING, verdict=Verdict.FAIL, expected="a release that answers", found=str(refusal), gate=GATE)
