"""One model's traffic: which release answers, how another takes over, and what happens when the live one ends.

Locks are taken in this order: `ModelRollout._changes`, `Traffic._lock`. The first is held for a whole deploy or
rollback, minutes while a candidate loads. The second is held while what answers changes, never while anything loads,
and nobody takes the first under it. So what is live can be started again while a candidate loads, without a deadlock.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Lock

from services.contract.backoff import Backoff, Clock
from services.contract.control_protocol import Workers
from services.contract.deployment import Action, Deployment, Retirement
from services.contract.errors import Refused
from services.rollout.fail_points import FailPoint, reached
from services.rollout.notifier import Notifier
from services.rollout.outage import Outages
from services.rollout.release_store import ReleaseStore
from services.rollout.serving import Backend, Serving, Unreachable
from services.rollout.state import (
    JournalEntry,
    JournalEvent,
    ModelFiles,
    Pointer,
    live_entry,
    next_pointer,
    retired,
    retired_entry,
)

LONGEST_PAUSE_SECONDS = 15.0
# An address is cheap to put back, so what is loaded is not kept waiting for it.
ADDRESS_PAUSE_SECONDS = 0.5
# What has answered for so long since it was started again does not end at once.
CALM_SECONDS = 15.0
ENDED, ADDRESS_LOST = "what answered had ended", "its address does not lead to it"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dependencies:
    """What the traffic of every model works with; `drain_seconds` are given to a release for its last requests."""

    state: Path
    store: ReleaseStore
    backend: Backend
    drain_seconds: float
    notifier: Notifier = field(default_factory=Notifier)
    clock: Clock = time.monotonic


class Traffic:
    """`pointer` says what is live, as on disk; `wake` makes the watches of this model look at once."""

    def __init__(self, model: str, dependencies: Dependencies) -> None:
        self._model = model
        self._dependencies = dependencies
        self._lock = Lock()
        self._live: Serving | None = None
        self._previous: Serving | None = None
        self._restarts = Backoff(clock=dependencies.clock)
        self._additions = Backoff()
        self._recovered = dependencies.clock()
        self._wake_events: list[Event] = []
        self.files = ModelFiles(dependencies.state, model)
        self.outages = Outages(self.files, dependencies.notifier)
        self.pointer = self.files.pointer()

    @property
    def url(self) -> str | None:
        return self._dependencies.backend.url(self._model) if self.live else None

    @property
    def live(self) -> Deployment | None:
        return self.pointer.live if self.pointer else None

    @property
    def serving(self) -> Serving | None:
        """What answers."""
        return self._live

    @property
    def previous(self) -> Serving | None:
        """What answered before, while it stays loaded."""
        return self._previous

    def is_baking(self, deployment: Deployment) -> bool:
        """Whether it became live by a deploy, in place of another, and was not watched to the end."""
        # Orders of a person and starts of what ended are written down in a bake too, and do not end it.
        changes = (JournalEvent.LIVE, JournalEvent.RELEASED)
        ours = (one for one in self.files.entries() if one.release == deployment.release)
        begun = [one.event for one in ours if one.event in changes][-1:] == [JournalEvent.LIVE]
        return begun and deployment.action is Action.DEPLOY and bool(self.pointer and self.pointer.previous)

    def serving_of(self, deployment: Deployment) -> Serving | None:
        """What answers, while `deployment` is live."""
        return self._live if self.live == deployment else None

    def wake_event(self) -> Event:
        """A new one, for one watch: it is set whenever there may be something to do."""
        self._wake_events.append(Event())
        return self._wake_events[-1]

    def wake(self) -> None:
        for event in self._wake_events:
            event.set()

    def answering(self) -> bool:
        return self._live is not None and self._live.alive() and self._live.reachable()

    @property
    def restarts(self) -> Backoff:
        """How often what is live was started again without lasting, and when it will be."""
        return self._restarts

    def workers(self) -> Workers | None:
        live = self._live
        return live.workers() if live and live.alive() else None

    def warm(self, release: str) -> Serving | None:
        """What answered before, while it still has `release` loaded; None otherwise."""
        previous = self._previous
        return previous if previous and previous.release == release and previous.alive() else None

    def record(self, event: JournalEvent, release: str, message: str = "") -> None:
        """That it happened."""
        self.files.owe(JournalEntry(at=datetime.now(UTC), event=event, release=release, message=message))

    def switch(self, serving: Serving, deployment: Deployment) -> None:
        """Lets `serving` answer, and keeps the one before loaded for a rollback.

        Raises Refused when it does not answer at the public address; then the one before answers again.
        """
        with self._lock:
            try:
                pointer = self._switch_over(serving, deployment)
            except (Refused, OSError) as error:
                self._undo_switch(serving)
                raise Refused(f"{deployment.revision} does not answer, the one before goes on: {error}") from error
            left, self._previous, self._live = self._previous, self._live, serving
            self.pointer = pointer
            self.files.owe(live_entry(deployment))
            reached(FailPoint.LEDGER_WRITTEN)
            self.outages.came_back(deployment)
        self.wake()
        log.info("%s: %s answers (%s by %s)", self._model, deployment.revision, deployment.action, deployment.by)
        if left and left is not serving:
            left.retire(self._dependencies.drain_seconds)
            reached(FailPoint.OLD_RETIRED)

    def retire(self, retirement: Retirement) -> None:
        """Nothing answers from here on: what is under way is answered, and clients that come are refused."""
        with self._lock:
            if self.pointer is None:
                raise Refused(f"expected a release of {self._model} that answers, found none to retire")
            pointer = retired(self.pointer, retirement)
            # The pointer first: after a crash nothing of it comes back.
            self.files.point(pointer)
            reached(FailPoint.RETIREMENT_POINTED)
            self.pointer = pointer
            left, self._live, self._previous = (self._live, self._previous), None, None
            self.outages.forget()
            self._dependencies.backend.close_address(self._model)
            reached(FailPoint.ADDRESS_CLOSED)
            self.files.owe(retired_entry(retirement))
            reached(FailPoint.RETIREMENT_WRITTEN)
        self.wake()
        log.warning("%s: retired by %s: %s", self._model, retirement.by, retirement.reason)
        for serving in left:
            if serving:
                serving.retire(self._dependencies.drain_seconds)

    def recover(self, found: Sequence[Serving]) -> None:
        """Takes over what an earlier service left running; the pointer decides which of it answers."""
        with self._lock:
            self.files.repair()
            reached(FailPoint.LEDGER_REPAIRED)
            self.outages.load()
            if self.pointer and self.pointer.live:
                # A second one of a release was being loaded, or was on its way to its end.
                same = _with_release(found, self.pointer.live)
                self._live = next((one for one in same if self._try(one, one.go)), None)
                self._previous = next(_with_release(found, self.pointer.previous), None)
            if self._live:
                # The candidate of a step ends with the service that led it.
                self._try(self._live, partial(self._live.hand_on, None))
            reached(FailPoint.LIVE_ADOPTED)
            if self._previous and not self._try(self._previous, self._previous.drain):
                self._previous = None
            for serving in found:
                if serving not in (self._live, self._previous):
                    serving.retire(self._dependencies.drain_seconds)
            reached(FailPoint.REST_ENDED)
            if not self.live:
                self._dependencies.backend.close_address(self._model)

    def keep_answering(self) -> bool:
        """Starts the live release again when it does not answer; returns whether nothing is left to do.

        After a failure the next try waits, longer each time. When something else became live while it loaded, what was
        loaded is ended.
        """
        with self._lock:
            if not (live := self.live):
                return self.files.settle()
            before = self._live
            if before and self.answering():
                self.outages.came_back(live)
                before.drop_ended()
                if self._dependencies.clock() - self._recovered >= CALM_SECONDS:
                    self._restarts.succeed()
                return self.files.settle()
            lost = before is not None and before.alive()
            if not self.outages.current:
                # A service that was just started tries once before it notifies anybody.
                self.outages.went_down(live, ADDRESS_LOST if lost else ENDED, tell=before is not None)
            if not self._restarts.due():
                return False
        self._recover(live, before if lost else None, first=before is None)
        return False

    def keep_complete(self) -> bool:
        """Adds a replica to the live release when it has too few; returns whether nothing is left to do."""
        with self._lock:
            live, deployment = self._live, self.live
        if not live or not deployment or not live.alive() or live.complete():
            return True
        if self._additions.due():
            try:
                self._add_replica(live, deployment)
                self._additions.succeed()
            except Refused as error:
                log.error("%s answers with fewer replicas than it should: %s", self._model, error)
                self._additions.fail(LONGEST_PAUSE_SECONDS)
        return False

    def _recover(self, live: Deployment, lost: Serving | None, *, first: bool) -> None:
        try:
            if lost:
                self._restore_address(live, lost)
            else:
                self._restart(live)
            # What ends again at once is not started again at once; of its first start this service saw no end before.
            if not first:
                self._restarts.fail(LONGEST_PAUSE_SECONDS)
            self._recovered = self._dependencies.clock()
        except Refused as error:
            log.error("%s does not answer: %s", self._model, error)
            longest = ADDRESS_PAUSE_SECONDS if isinstance(error, Unreachable) else LONGEST_PAUSE_SECONDS
            self._restarts.fail(longest)
            with self._lock:
                if self._is_live(live):
                    self.outages.went_down(live, str(error))

    def _restore_address(self, live: Deployment, lost: Serving) -> None:
        with self._lock:
            if self._live is not lost:
                return
            lost.go()
            self.outages.came_back(live)
        log.warning("%s: its address had been lost, %s is back", self._model, live.revision)

    def _restart(self, live: Deployment) -> None:
        self._dependencies.backend.open_address(self._model)
        reached(FailPoint.ADDRESS_OPENED)
        with self._loaded(live) as serving:
            reached(FailPoint.AGAIN_LOADED)
            left = self._take_over(live, serving)
        if left:
            left.kill()

    def _take_over(self, live: Deployment, serving: Serving) -> Serving | None:
        """Returns what is to be ended: the one before, or `serving` itself when it comes too late."""
        with self._lock:
            if not self._is_live(live) or self.answering():
                return serving
            serving.go()
            reached(FailPoint.AGAIN_WENT)
            left, self._live = self._live, serving
            self.record(JournalEvent.RESTARTED, live.release)
            self.outages.came_back(live)
        log.warning("%s: what answered had ended, %s answers again", self._model, live.revision)
        return left

    def _add_replica(self, incomplete: Serving, live: Deployment) -> None:
        with self._loaded(live) as spare, self._lock:
            if self._live is incomplete:
                incomplete.add(spare)
                return
        spare.kill()

    @contextmanager
    def _loaded(self, live: Deployment) -> Iterator[Serving]:
        """Another serving of the live release, loaded and without traffic. Waits without a lock."""
        serving = self._dependencies.backend.start(self._dependencies.store.find(self._model, live.release))
        try:
            serving.wait_ready()
            yield serving
        except BaseException:
            if serving is not self._live:
                serving.kill()
            raise

    def _is_live(self, deployment: Deployment) -> bool:
        return self.live is deployment

    def _switch_over(self, serving: Serving, deployment: Deployment) -> Pointer:
        """Go, drain, confirm, point: in this order only is the address never without an answer, and a crash safe."""
        # Go first: for a moment both accept, so no client finds nobody.
        serving.go()
        reached(FailPoint.WENT)
        if self._live and self._live.alive():
            # Before the confirmation: while the old one accepts too, an answer at the address may be its own.
            self._try(self._live, self._live.drain)
        reached(FailPoint.DRAINED)
        pointer = next_pointer(self.pointer, deployment)
        # Before the pointer: until then a crash, or a refusal here, brings back the release that is known to answer.
        self._dependencies.backend.confirm(self._model, deployment.release)
        reached(FailPoint.CONFIRMED)
        # Last, and atomic: from here on the new release is live after a crash as well. The journal follows, and what a
        # crash leaves out of it is added by ModelFiles.repair.
        self.files.point(pointer)
        reached(FailPoint.POINTED)
        return pointer

    def _undo_switch(self, serving: Serving) -> None:
        if self._live and self._live.alive():
            self._try(self._live, self._live.go)
        if not self.live:
            self._dependencies.backend.close_address(self._model)
        self._previous = None if serving is self._previous else self._previous
        serving.retire(self._dependencies.drain_seconds)

    def _try(self, serving: Serving, command: Callable[[], None]) -> bool:
        """Whether it did `command`, or may do it later.

        What refuses is ended, since nobody knows whether it accepts; the watch starts again what is live. Without the
        gateway nothing can be changed now, and the watch restores the address.
        """
        try:
            command()
        except Unreachable as error:
            log.warning("%s: %s", self._model, error)
        except Refused as error:
            log.warning("%s: %s: ending it", self._model, error)
            serving.kill()
            return False
        return True


def _with_release(found: Sequence[Serving], deployment: Deployment | None) -> Iterator[Serving]:
    return (serving for serving in found if deployment and serving.release == deployment.release)
