"""A candidate on its way to all of the traffic: one step after another, until one says no or a person does."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Condition
from typing import Protocol

from services.contract.deployment import Deployment, StepOrder, StepRequest
from services.contract.errors import SteppedBack, Stopped
from services.contract.rollout_plan import RolloutPlan
from services.contract.rollout_step import Step, StepStatus
from services.contract.verdict import Check, Verdict, overall
from services.rollout.steps.step import Next, bake, decide, steps_before

PAUSE_SECONDS = 1.0
# With which a candidate within its limits is taken back in any step of its plan. Each look may be wrong, so there are
# no more careful ones than help; those between them find what is very bad, and in hours do not add a hundredth to it.
LEVEL, QUICK_LEVEL = 0.05, 1e-6
CAREFUL_LOOKS = 20


class Watch(Protocol):
    """What is seen of a step from its begin on."""

    def look(self, level: float) -> Sequence[Check]: ...


class Looks:
    """When a step of so many `seconds` is looked at carefully, and with which part of its `level`."""

    def __init__(self, seconds: float, level: float = LEVEL) -> None:
        self._seconds = seconds
        self._level = level / max(1.0, min(CAREFUL_LOOKS, seconds / PAUSE_SECONDS))
        self._due = seconds / CAREFUL_LOOKS

    def next(self, elapsed: float) -> tuple[bool, float]:
        if elapsed < self._due:
            return False, QUICK_LEVEL
        level, due = self._level, elapsed + self._seconds / CAREFUL_LOOKS
        if elapsed >= self._seconds:
            # Its last look is careful; those after it wait for requests to pass by, and have nothing left to fail by.
            self._level = QUICK_LEVEL
        self._due = min(due, self._seconds) if elapsed < self._seconds else due
        return True, level


class Takeover:
    """Of one `deployment`. `clock` gives seconds; a person may pause, promote now or abort it, from any thread."""

    def __init__(self, plan: RolloutPlan, deployment: Deployment, clock: Callable[[], float] = time.monotonic) -> None:
        self.deployment = deployment
        self.promoted = False
        self.status: StepStatus | None = None
        self._plan, self._clock = plan, clock
        self._level = LEVEL / max(1, len([*steps_before(plan)]) + bool(bake(plan)))
        self._changed = Condition()
        self._woken = self._paused = self._stopped = False
        self.aborted: str | None = None

    def begin(self, step: Step) -> None:
        """Shows it as the step that the release is in."""
        deployment = self.deployment
        self.status = StepStatus(
            revision=deployment.revision,
            release=deployment.release,
            step=step,
            since=datetime.now(UTC),
            paused=self._paused,
        )

    @property
    def verdict_words(self) -> str:
        """Of the step that is over, which was good enough to go on."""
        if self.promoted:
            return "was ended by hand"
        checks = self.status.checks if self.status else ()
        if overall(checks) is Verdict.PASS:
            return "was good"
        return f"is over without a verdict: {_undecided(checks) or 'nothing was seen'}"

    def take(self, step: Step, watch: Watch) -> None:
        """Returns when the step is over and was good. Raises SteppedBack with the reason, Stopped, and what `watch`
        raises."""
        self.begin(step)
        self._look_until_over(step, watch)

    def heed(self) -> None:
        """Raises Stopped when the service ends, SteppedBack when a person aborted it."""
        if self._stopped:
            raise Stopped(f"the rollout service was stopped, {self.deployment.revision} begins anew with the next one")
        if self.aborted is not None:
            raise SteppedBack(f"{self.deployment.revision} was taken back: {self.aborted}")

    def obey(self, request: StepRequest) -> None:
        """While it is paused it stays in its step, however good it is; what is bad goes back all the same."""
        with self._changed:
            match request.order:
                case StepOrder.PAUSE | StepOrder.RESUME:
                    self._paused = request.order is StepOrder.PAUSE
                    self._show(paused=self._paused)
                case StepOrder.PROMOTE_NOW:
                    self.promoted = True
                case StepOrder.ABORT:
                    self.aborted = f"aborted by {request.by}" + (f": {request.reason}" if request.reason else "")
            self._wake()

    def rested(self, seconds: float) -> bool:
        """Whether the service goes on after that pause, which its end cuts short."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._stopped, seconds)

    def stop(self) -> None:
        """Nothing that it sees from now on is a verdict: what it looks at is being ended."""
        with self._changed:
            self._stopped = True
            self._wake()

    def wake(self) -> None:
        """It looks at once."""
        with self._changed:
            self._wake()

    def _look_until_over(self, step: Step, watch: Watch) -> None:
        begun, looks = self._clock(), Looks(step.seconds, self._level)
        while not self._waited(min(PAUSE_SECONDS, step.seconds)):
            elapsed = self._clock() - begun
            careful, level = looks.next(elapsed)
            checks = tuple(watch.look(level))
            failed = overall(checks) is Verdict.FAIL
            if not careful and not failed:
                continue
            with self._changed:
                self.heed()
                self._show(checks=checks)
            what = decide(self._plan, step, elapsed, checks)
            if what is Next.BACK and (failed or not self._paused):
                raise SteppedBack(f"{self.deployment.revision} was taken back in its {step}: {_why(checks)}")
            if what is Next.GO_ON and not self._paused:
                return

    def _waited(self, seconds: float) -> bool:
        """Whether a person said to go on now. Raises as `heed` does."""
        with self._changed:
            self._changed.wait_for(lambda: self._woken, seconds)
            self._woken = False
            self.heed()
            return self.promoted

    def _wake(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _show(self, **changes: object) -> None:
        if self.status:
            self.status = self.status.model_copy(update=changes)


def _undecided(checks: Sequence[Check]) -> str:
    """Those that found the same together."""
    names: dict[str, list[str]] = {}
    for check in checks:
        if check.verdict is Verdict.INCONCLUSIVE:
            names.setdefault(check.found, []).append(check.name)
    return "; ".join(f"{', '.join(named)}: {found}" for found, named in names.items())


def _why(checks: Sequence[Check]) -> str:
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    undecided = [check for check in checks if check.verdict is Verdict.INCONCLUSIVE]
    return "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in failed or undecided)
