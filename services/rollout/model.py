"""Deploy, rollback and retirement of one model."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock

from services.contract.deployment import (
    ANALYSIS,
    Action,
    Deployment,
    DeployRequest,
    ModelState,
    Retirement,
    RetireRequest,
    RollbackPlan,
    RollbackRequest,
    StepRequest,
)
from services.contract.errors import LiveChanged, Refused, SteppedBack, Stopped
from services.contract.ledger import JournalEntry, JournalEvent, LedgerNote
from services.contract.notification import NotificationKind
from services.contract.rollout_plan import RolloutPlan
from services.contract.rollout_step import StepStatus
from services.rollout.fail_points import FailPoint, reached
from services.rollout.fence import check_fence, check_live
from services.rollout.recorded import delivered, is_told, recorded
from services.rollout.release_store import StoredRelease
from services.rollout.serving import Serving
from services.rollout.state import Pointer
from services.rollout.steps.takeover import Takeover
from services.rollout.steps.watching import Superseded
from services.rollout.stepwise import Stepwise, Switched
from services.rollout.traffic import Dependencies, Traffic

log = logging.getLogger(__name__)


class ModelRollout:
    """Locks are taken in this order: `_deploys`, `_changes`, that of `traffic`.

    `_deploys` is held for a whole deploy, while its candidate loads and goes through its steps; `_changes` while what
    is live is decided on, so a rollback or retirement goes at once, and a deploy that was loading meanwhile finds that
    live has changed.
    The watches take the lock of `traffic` alone, so a restart of what is live waits for neither.
    """

    def __init__(self, name: str, dependencies: Dependencies) -> None:
        self._name = name
        self._dependencies = dependencies
        self._deploys = Lock()
        self._changes = Lock()
        self.traffic = Traffic(name, dependencies)
        self.steps = Stepwise(self.traffic)
        self._said = ""

    def state(self) -> ModelState:
        pointer, answering = self.traffic.pointer, self.traffic.answering()
        outage = self.traffic.outages.current if not answering else None
        return ModelState(
            model=self._name,
            url=self.traffic.url,
            answering=answering,
            down_since=outage.since if outage else None,
            reason=outage.reason if outage else "",
            tries=self.traffic.restarts.failures,
            next_try=_soon(self.traffic.restarts.seconds_left) if outage else None,
            workers=self.traffic.workers(),
            step=self.steps.status,
            live=pointer.live if pointer else None,
            previous=pointer.previous if pointer else None,
            retired=pointer.retired if pointer else None,
        )

    def obey(self, request: StepRequest) -> StepStatus | None:
        return self.steps.obey(request)

    def deployments(self) -> list[Deployment]:
        return self.traffic.files.deployments()

    def deploy(self, request: DeployRequest) -> Deployment:
        """Returns the new deployment, or the live one when this release is live already.

        Raises LiveChanged when another release is live than the request expects, or became so while this one loaded,
        and Refused for a candidate that does not pass its checks; then what was live goes on.
        """
        with self._deploys:
            release = self._dependencies.store.find(self._name, request.release)
            with self._changes:
                before = self.traffic.pointer
                if standing := check_fence(before, release.digest, release.manifest.candidate.promotion.number):
                    return standing
                check_live(before, request.in_place_of)
            self._note_delivery(release)
            candidate = self._led(release, request)
            reached(FailPoint.STEPS_OVER)
            deployment = _new_deployment(release, request)
            with self._changes:
                self._refuse_when_changed(before, candidate)
                self._switch_watched(candidate, deployment, release.manifest.rollout)
            return deployment

    def rollback(self, request: RollbackRequest) -> Deployment:
        """To the release that was live before, or to the one that is asked for; without that, a second rollback undoes
        the first. Returns the live deployment when it is asked for. Raises Refused, and what was live goes on."""
        with self._changes:
            before, target = self.traffic.live, self._target(request.to)
            if before and before.release == target.release:
                return before
            return self._return_to(target, request)

    def plan(self, to: str | None) -> RollbackPlan:
        """What a rollback would do now. Raises Refused for what would refuse it before anything is loaded."""
        live, target = self.traffic.live, self._target(to)
        standing = live is not None and live.release == target.release
        release = self._dependencies.store.look(self._name, target.release)
        loaded = self.traffic.warm(target.release) is not None or standing
        return RollbackPlan(
            target=target,
            loaded=loaded,
            standing=standing,
            checks=() if standing else _checks(release, loaded),
            changes=() if standing else tuple(_changes(live, target, loaded)),
        )

    def retire(self, request: RetireRequest) -> Retirement:
        """Raises Refused when nothing is live; a model that is retired stays so, by whom it was."""
        with self._changes:
            pointer = self.traffic.pointer
            if pointer and pointer.retired:
                return pointer.retired
            if not (live := self.traffic.live):
                raise Refused(f"expected a release of {self._name} that answers, found none to retire")
            retirement = Retirement(at=datetime.now(UTC), by=request.by, reason=request.reason, deployment=live)
            self.traffic.retire(retirement)
            self.steps.wake()
            words = f"{self._name} was retired by {request.by}: {request.reason}"
            self._dependencies.notifier.tell(NotificationKind.RETIRED, live, words, by=request.by)
            return retirement

    def resume_bake(self) -> None:
        """Of what became live before this service was started and was not watched to the end."""
        live = self.traffic.live
        if not live or not self.traffic.is_baking(live):
            return
        with suppress(Refused):
            plan = self._dependencies.store.find(self._name, live.release).manifest.rollout
            if not plan.bake:
                return
            left = max(1.0, plan.bake - (datetime.now(UTC) - live.at).total_seconds())
            self._bake(
                live, plan.model_copy(update={"bake": left}), self.steps.switched(None, self.traffic.previous, plan)
            )
            reached(FailPoint.BAKE_RESUMED)

    def note(self, note: LedgerNote) -> LedgerNote:
        """Into the ledger, unless it is there already: a stage may run again, or tell twice."""
        if not is_told(self.traffic.files.entries(), note):
            self.traffic.files.append(JournalEntry(at=datetime.now(UTC), **dict(note)))
        return note

    def _led(self, release: StoredRelease, request: DeployRequest) -> Serving:
        """The candidate, loaded and through the steps of its plan. Raises Refused when it was taken back."""
        plan = release.manifest.rollout
        with self.steps.leading(_new_deployment(release, request), plan) as takeover:
            candidate = self._prepare(release)
            with _ended_if_it_fails(candidate):
                self._lead(takeover, candidate, plan)
            return candidate

    def _lead(self, takeover: Takeover, candidate: Serving, plan: RolloutPlan) -> None:
        try:
            self.steps.lead(takeover, candidate, plan)
        except Superseded:
            # The caller says so, with what is live now.
            return
        except Stopped:
            raise
        except Refused as refusal:
            self.traffic.record(JournalEvent.REFUSED, candidate.release, str(refusal))
            if isinstance(refusal, SteppedBack):
                self._dependencies.notifier.tell(NotificationKind.TAKEN_BACK, takeover.deployment, str(refusal))
            raise

    def _switch_watched(self, candidate: Serving, deployment: Deployment, plan: RolloutPlan) -> None:
        """Where there is something to go back to."""
        switched = self.steps.switched(candidate, self.traffic.serving, plan)
        self.traffic.switch(candidate, deployment)
        self.steps.wake()
        if self.traffic.pointer and self.traffic.pointer.previous:
            self._bake(deployment, plan, switched)

    def _bake(self, deployment: Deployment, plan: RolloutPlan, switched: Switched) -> None:
        self.steps.bake(deployment, plan, switched, partial(self._go_back, deployment))

    def _go_back(self, deployment: Deployment, words: str) -> bool:
        """Whether nothing is left to do: a disk that is full, or a release that does not load now, may later."""
        with self._changes:
            pointer = self.traffic.pointer
            if not pointer or pointer.live != deployment or not pointer.previous:
                return True
            reached(FailPoint.GOING_BACK)
            try:
                self._return_to(pointer.previous, RollbackRequest(by=ANALYSIS, reason=words))
                reached(FailPoint.GONE_BACK)
            except (Refused, OSError) as error:
                self._say_once(pointer.previous, f"{words}, but {error}")
                return False
            return True

    def _say_once(self, back: Deployment, words: str) -> None:
        """Tries to go back end alike again and again."""
        if words != self._said:
            self._said = words
            log.error("%s: %s", self._name, words)
            self.traffic.record(JournalEvent.REFUSED, back.release, words)

    def _return_to(self, target: Deployment, request: RollbackRequest) -> Deployment:
        before = self.traffic.live
        ready = self._ready(self._dependencies.store.find(self._name, target.release))
        changes = {"action": Action.ROLLBACK, "at": datetime.now(UTC), "by": request.by, "reason": request.reason}
        deployment = target.model_copy(update=changes)
        self.traffic.switch(ready, deployment)
        self.steps.wake()
        words = f"{_words(before)} was rolled back to it by {request.by}: {request.reason}"
        self._dependencies.notifier.tell(NotificationKind.ROLLBACK, deployment, words, by=request.by)
        return deployment

    def _note_delivery(self, release: StoredRelease) -> None:
        """What its stages have told already, or could not, because this service was away."""
        known = list(self.traffic.files.entries())
        for note in delivered(release):
            if not any((one.event, one.revision) == (note.event, note.revision) for one in known):
                self.note(note)

    def _target(self, to: str | None) -> Deployment:
        if to is not None:
            return recorded(self._name, self.traffic.files.deployments(), to)
        pointer = self.traffic.pointer
        if not pointer or not pointer.back:
            raise Refused(f"expected a release of {self._name} before the live one, found none to return to")
        return pointer.back

    def _ready(self, release: StoredRelease) -> Serving:
        """What still has the release loaded, once it has answered its golden rows again; else a new one."""
        if warm := self.traffic.warm(release.digest):
            try:
                warm.check(release)
            except Refused as refusal:
                warm.kill()
                self.traffic.record(JournalEvent.REFUSED, release.digest, f"what was still loaded: {refusal}")
            else:
                return warm
        return self._prepare(release)

    def _prepare(self, release: StoredRelease) -> Serving:
        """A candidate that is loaded and passed its checks, without traffic. Raises Refused."""
        # A disk that does not take this takes no pointer either.
        self.traffic.files.append(
            JournalEntry(at=datetime.now(UTC), event=JournalEvent.STARTED, release=release.digest)
        )
        reached(FailPoint.CANDIDATE_NOTED)
        try:
            candidate = self._dependencies.backend.start(release)
            reached(FailPoint.CANDIDATE_STARTED)
            _check(candidate, release)
        except Refused as refusal:
            self.traffic.record(JournalEvent.REFUSED, release.digest, str(refusal))
            raise
        return candidate

    def _refuse_when_changed(self, before: Pointer | None, candidate: Serving) -> None:
        if self.traffic.pointer is before:
            return
        candidate.kill()
        words = f"expected {_words(before.live if before else None)} to be live until this release was loaded, found"
        refusal = LiveChanged(f"{words} {_words(self.traffic.live)}: compare with what is live now")
        self.traffic.record(JournalEvent.REFUSED, candidate.release, str(refusal))
        raise refusal


def _soon(seconds: float) -> datetime | None:
    return datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None


def _check(candidate: Serving, release: StoredRelease) -> None:
    with _ended_if_it_fails(candidate):
        candidate.wait_ready()
        reached(FailPoint.CANDIDATE_LOADED)
        candidate.check(release)
        reached(FailPoint.CANDIDATE_CHECKED)


@contextmanager
def _ended_if_it_fails(candidate: Serving) -> Iterator[None]:
    """Whatever fails, also a full disk: nobody else knows of a candidate."""
    try:
        yield
    except BaseException:
        candidate.kill()
        raise


def _checks(release: StoredRelease, loaded: bool) -> tuple[str, ...]:
    files = f"the files of release {release.digest[:12]}… are those of its digest"
    where = "what is still loaded" if loaded else "what is loaded then"
    return files, f"{where} repeats {len(release.golden.rows)} golden rows before it gets traffic"


def _changes(live: Deployment | None, target: Deployment, loaded: bool) -> Iterator[str]:
    if not loaded:
        yield f"{target.revision} is loaded, beside what answers"
    yield f"{target.revision} answers in place of {_words(live)}"
    yield "the alias 'champion' in MLflow follows, where MLflow answers"


def _words(deployment: Deployment | None) -> str:
    return deployment.revision if deployment else "nothing"


def _new_deployment(release: StoredRelease, request: DeployRequest) -> Deployment:
    return Deployment(
        model=release.manifest.model,
        revision=release.manifest.revision,
        release=release.digest,
        run_id=release.manifest.candidate.promotion.run_id,
        model_id=release.manifest.candidate.promotion.model_id,
        pipeline=release.manifest.candidate.pipeline,
        action=Action.DEPLOY,
        at=datetime.now(UTC),
        by=request.by,
        reason=request.reason,
    )
