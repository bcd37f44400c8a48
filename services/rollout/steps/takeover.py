"""A candidate on its way to all of the traffic: one step after another, until one says no or a person does."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Condition
from typing import Protocol

from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.rollout_plan import RolloutPlan
from services.contract.rollout_step import Step, StepStatus
from services.contract.verdict import Check, Verdict
from services.rollout.steps.step import Next, decide

# Each look may be wrong, so there are not more of them than help: 20 a step, and none more often than a second.
MOST_LOOKS = 20
SHORTEST_SECONDS = 1.0
# With which a candidate as good as the live one is taken back in a step.
LEVEL = 0.05


class Watch(Protocol):
    """What is seen of a step from its begin on."""

    def look(self, level: float) -> Sequence[Check]: ...


class SteppedBack(Refused):
    """A step was not good enough, or a person ended it; what was live is live."""


class Takeover:
    """Of one `deployment`. `clock` gives seconds; a person may pause, promote now or abort it, from any thread."""

    def __init__(self, plan: RolloutPlan, deployment: Deployment, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan, self._deployment, self._clock = plan, deployment, clock
        self._changed = Condition()
        self._paused = self._promoted = False
        self._aborted: str | None = None
        self.status: StepStatus | None = None

    def take(self, step: Step, watch: Watch) -> None:
        """Returns when the step is over and was good. Raises SteppedBack with the reason."""
        with self._shown(step):
            begun, interval = self._clock(), look_interval(step)
            level = LEVEL / max(1.0, step.seconds / interval)
            while not self._promoted:
                self._wait(interval)
                checks = tuple(watch.look(level))
                self._show(checks)
                elapsed = self._clock() - begun
                what = decide(self._plan, step, elapsed, checks)
                if what is Next.BACK:
                    raise SteppedBack(f"{self._deployment.revision} was taken back in its {step}: {_why(checks)}")
                if what is Next.GO_ON and not self._paused:
                    return

    def pause(self, paused: bool = True) -> None:
        """It stays in its step, however good it is; what is bad goes back all the same."""
        with self._changed:
            self._paused = paused
            if self.status:
                self.status = self.status.model_copy(update={"paused": paused})
            self._changed.notify_all()

    def promote_now(self) -> None:
        """Without the rest of the steps."""
        with self._changed:
            self._promoted = True
            self._changed.notify_all()

    def abort(self, words: str) -> None:
        with self._changed:
            self._aborted = words
            self._changed.notify_all()

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._aborted is not None or self._promoted, seconds)
            if self._aborted is not None:
                raise SteppedBack(f"{self._deployment.revision} was taken back: {self._aborted}")

    @contextmanager
    def _shown(self, step: Step) -> Iterator[None]:
        deployment = self._deployment
        self.status = StepStatus(
            revision=deployment.revision,
            release=deployment.release,
            step=step,
            since=datetime.now(UTC),
            paused=self._paused,
        )
        try:
            yield
        finally:
            self.status = None

    def _show(self, checks: tuple[Check, ...]) -> None:
        with self._changed:
            if self.status:
                self.status = self.status.model_copy(update={"checks": checks})


def look_interval(step: Step) -> float:
    return max(SHORTEST_SECONDS, step.seconds / MOST_LOOKS)


def _why(checks: Sequence[Check]) -> str:
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    undecided = [check for check in checks if check.verdict is Verdict.INCONCLUSIVE]
    return "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in failed or undecided)
