"""Schedules a promotion that GoCD passed over, once all newer ones are over, and writes its outcome on each run."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from services.contract.deployment import Deployment
from services.contract.outcome import Outcome
from services.delivery.promotions.outcomes import fingerprint, next_to_schedule, outcomes, read_ledger
from services.gocd.client import GoCD, Json, Unknown

CALM_SECONDS = 10.0
# Writes a short text on a run.
Note = Callable[[str, str], None]


class Answers(Protocol):
    """The rollout service, as far as it is asked here."""

    def deployments(self, model: str) -> list[Deployment]: ...


class ScheduleSuperseded:
    """Derived anew from GoCD's history, so that it may be ended and started at any time, and run beside another one.

    GoCD itself refuses a second request for a pipeline that is triggered already or still in its first stage.
    """

    def __init__(
        self,
        gocd: GoCD,
        rollout: Answers,
        note: Note,
        say: Callable[[str], None],
        calm: float = CALM_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gocd, self._rollout, self._note, self._say = gocd, rollout, note, say
        self._calm, self._clock = calm, clock
        self._done: dict[str, list[Json]] = {}
        self._open: dict[str, bool] = {}
        self._due: dict[str, float] = {}
        self._noted: dict[str, str] = {}

    def __call__(self, model: str) -> None:
        """While nothing is under way, two requests each `calm` seconds. Raises Refused, and asks again when called."""
        if self._clock() < self._due.get(model, 0.0):
            return
        try:
            now = self._newest(model)
        except Unknown:  # a model without a pipeline has no promotions
            return
        if self._done.get(model) != now:
            if (found := self._settled(model)) is None:
                return
            self._done[model], self._open[model] = now, any(one.open for one in found)
        if not self._open[model]:
            self._due[model] = self._clock() + self._calm

    def _settled(self, model: str) -> list[Outcome] | None:
        """The outcomes, once they are written; None when a promotion was asked for, so that all is changing."""
        answered = frozenset(one.revision for one in self._rollout.deployments(model))
        ledger = read_ledger(self._gocd, model, answered)
        found = outcomes(ledger)
        try:
            scheduled = self._schedule(next_to_schedule(found, answered), fingerprint(ledger.built))
        finally:
            self._write(found)
        return None if scheduled else found

    def _newest(self, model: str) -> list[Json]:
        built = self._gocd.history(model)
        try:
            return [*built, *self._gocd.history(f"{model}-online")]
        except Unknown:
            return built

    def _schedule(self, outcome: Outcome | None, package: str | None) -> bool:
        if not outcome or not package:
            return False
        self._gocd.schedule(outcome.model, package, outcome.revision)
        self._say(f"{outcome.model}: {outcome.revision} was {outcome}, which is over: it is judged now")
        return True

    def _write(self, found: Sequence[Outcome]) -> None:
        """Of a run that was promoted more than once, what became of the newest promotion."""
        texts = {one.run_id: str(one) for one in reversed(found) if one.run_id}
        for run_id, text in texts.items():
            if self._noted.get(run_id) != text:
                self._note(run_id, text)
                self._noted[run_id] = text
