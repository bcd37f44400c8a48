"""How a release of one model takes over: through the steps of its plan, and watched after its switch."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Thread

from services.contract.backoff import Backoff
from services.contract.deployment import ANALYSIS, Deployment, StepOrder, StepRequest
from services.contract.errors import Refused, SteppedBack, Stopped
from services.contract.rollout_plan import RolloutPlan
from services.contract.rollout_step import Step, StepStatus
from services.rollout.analysis.figures import Seen
from services.rollout.analysis.window import Side
from services.rollout.fail_points import FailPoint, reached
from services.rollout.recorded import standing_order
from services.rollout.serving import Serving
from services.rollout.state import JournalEntry, JournalEvent
from services.rollout.steps.recent import Recent
from services.rollout.steps.step import bake, steps_before
from services.rollout.steps.takeover import Takeover
from services.rollout.steps.watching import BakeWatch, PairWatch, Superseded
from services.rollout.traffic import Traffic

log = logging.getLogger(__name__)

# Between two tries to go back: each that loads a release is two lines of the ledger.
LONGEST_PAUSE_SECONDS = 300.0


@dataclass(frozen=True)
class Switched:
    """What a release had counted when it became live, and what the one before it had done lately: by both its bake is
    judged."""

    begun: Seen
    before: Side


class Stepwise:
    """`leading` is the takeover of a candidate from its load on, `baking` that of what is live; a person's order is for
    the first of them that there is."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._leading: Takeover | None = None
        self._baking: Takeover | None = None
        self._recent = Recent()
        self._stopped = False

    @property
    def status(self) -> StepStatus | None:
        return next((one.status for one in self._running() if one.status), None)

    @contextmanager
    def leading(self, deployment: Deployment, plan: RolloutPlan) -> Iterator[Takeover]:
        """Inside, a person may order what is to become of it, also before its first step."""
        self._leading = takeover = self._takeover(deployment, plan)
        try:
            yield takeover
        finally:
            self._leading = None

    def lead(self, takeover: Takeover, candidate: Serving, plan: RolloutPlan) -> None:
        """Returns after the steps in which what is live stays so, of which there are none while nothing answers.

        Raises SteppedBack, Stopped, and Superseded when something else became live meanwhile.
        """
        takeover.heed()
        live = self._traffic.live
        if not live or not self._traffic.answering():
            return
        for step in steps_before(plan):
            if not takeover.promoted:
                watch = PairWatch(partial(self._traffic.serving_of, live), candidate, step, plan)
                self._take(takeover, step, watch)

    def remember(self) -> bool:
        """Of what is live, for the bake of the next; a watch calls it again and again."""
        self._recent.look(self._traffic.serving)
        return True

    def switched(self, serving: Serving | None, before: Serving | None, plan: RolloutPlan) -> Switched:
        """As of now; `serving` is None where nobody knows when it began."""
        now = _seen(before)
        then = self._recent.before(before, now, plan.bake, plan.min_requests) if before else Seen()
        # What ended then excuses nothing that ends now.
        return Switched(_seen(serving), replace(now.side(then), restarts=0))

    def bake(
        self, deployment: Deployment, plan: RolloutPlan, switched: Switched, go_back: Callable[[str], bool]
    ) -> None:
        """Returns at once; `go_back` is called with the reason, from another thread, when it is not good enough, and
        again until it says that nothing is left to do."""
        if not (step := bake(plan)):
            return
        self._baking = takeover = self._takeover(deployment, plan)
        takeover.begin(step)
        reached(FailPoint.BAKE_BEGUN)
        watch = BakeWatch(partial(self._traffic.serving_of, deployment), switched.begun, switched.before, plan)

        def run() -> None:
            try:
                takeover.take(step, watch)
                self._record(JournalEvent.RELEASED, takeover, f"{step} {takeover.verdict_words}")
                reached(FailPoint.BAKE_OVER)
            except SteppedBack as back:
                self._record_bad(takeover, step)
                if not go_back(str(back)):
                    # Its watch ends with the reason and does not wait for a disk to have room.
                    takeover.status = None
                    _try_until_done(takeover, partial(go_back, str(back)))
            except Superseded:
                log.info("%s: %s was replaced in its bake", deployment.model, deployment.revision)
            except Stopped as stopped:
                log.info("%s: %s", deployment.model, stopped)
            finally:
                # Only now, so that whoever sees no step any more finds in the ledger how it ended.
                takeover.status = None

        Thread(target=run, name=f"bake-{deployment.model}", daemon=True).start()

    def obey(self, request: StepRequest) -> StepStatus | None:
        """The step as it is then, None while the release still loads. Raises Refused when none is in a step."""
        for takeover in self._running():
            if request.release in (None, takeover.deployment.release):
                status = takeover.status
                place = f"in its {status.step}" if status else "while it loads"
                words = f"{request.order} {place}" + (f": {request.reason}" if request.reason else "")
                self._record(JournalEvent.STEP, takeover, words, by=request.by, order=request.order)
                takeover.obey(request)
                return takeover.status or status
        raise Refused(f"expected a release in a step to {request.order}, found none: ask for the model's state")

    def stop(self) -> None:
        """Before what they look at is ended, which is no fault of theirs."""
        self._stopped = True
        for takeover in (self._leading, self._baking):
            if takeover:
                takeover.stop()

    def wake(self) -> None:
        """Something else became live: they are to see it at once."""
        for takeover in self._running():
            takeover.wake()

    def _takeover(self, deployment: Deployment, plan: RolloutPlan) -> Takeover:
        """Under the order that stands since before the service was started."""
        takeover = Takeover(plan, deployment)
        if order := standing_order(self._traffic.files.entries(), deployment.release):
            takeover.obey(order)
        if self._stopped:
            takeover.stop()
        return takeover

    def _running(self) -> list[Takeover]:
        baking = self._baking if self._baking and self._baking.status else None
        return [one for one in (self._leading, baking) if one]

    def _take(self, takeover: Takeover, step: Step, watch: PairWatch) -> None:
        with watch:
            self._traffic.files.append(_entry(JournalEvent.STEP, takeover, f"{step} began"))
            reached(FailPoint.STEP_BEGUN)
            try:
                takeover.take(step, watch)
            except SteppedBack:
                self._record_bad(takeover, step)
                raise
            reached(FailPoint.STEP_OVER)

    def _record_bad(self, takeover: Takeover, step: Step) -> None:
        """When it was found; of an abort there is the order itself."""
        if not takeover.aborted:
            self._record(JournalEvent.STEP, takeover, f"{step} was not good")

    def _record(
        self, event: JournalEvent, takeover: Takeover, words: str, by: str = ANALYSIS, order: StepOrder | None = None
    ) -> None:
        self._traffic.files.owe(_entry(event, takeover, words, by, order))


def _try_until_done(takeover: Takeover, done: Callable[[], bool]) -> None:
    pause = Backoff()
    while takeover.rested(pause.fail(LONGEST_PAUSE_SECONDS)) and not done():
        pass


def _entry(
    event: JournalEvent, takeover: Takeover, words: str, by: str = ANALYSIS, order: StepOrder | None = None
) -> JournalEntry:
    deployment = takeover.deployment
    return JournalEntry(
        at=datetime.now(UTC),
        event=event,
        release=deployment.release,
        revision=deployment.revision,
        run_id=deployment.run_id,
        message=words,
        by=by,
        order=order,
    )


def _seen(serving: Serving | None) -> Seen:
    if serving:
        with suppress(Refused):
            return serving.seen()
    return Seen()
