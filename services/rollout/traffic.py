"""One model's traffic: which release answers, how another takes over, and who answers when one dies."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal
from threading import Lock

from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.rollout.notifier import Notifier
from services.rollout.outage import Outages
from services.rollout.patience import Patience
from services.rollout.serving import Backend, Serving, Unreachable
from services.rollout.state import Entry, Event, ModelFiles, Pointer, move
from services.rollout.store import Store

LONGEST_PAUSE_SECONDS = 15.0
# An address is cheap to put back, so what is loaded is not kept waiting for it.
ADDRESS_PAUSE_SECONDS = 0.5
ENDED, ADDRESS_LOST = "what answered had ended", "its address does not lead to it"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """What the traffic of every model is made with."""

    state: Path
    store: Store
    backend: Backend
    drain_seconds: float
    notifier: Notifier = field(default_factory=Notifier)


class Traffic:
    def __init__(self, model: str, means: Means) -> None:
        self._model = model
        self._means = means
        self._lock = Lock()
        self._live: Serving | None = None
        self._previous: Serving | None = None
        self._patience = Patience()
        self._mending = Patience()
        self.stirred = Signal()
        self.files = ModelFiles(means.state, model)
        self.outages = Outages(self.files, means.notifier)
        self.pointer = self.files.pointer()

    @property
    def url(self) -> str | None:
        return self._means.backend.url(self._model) if self.pointer else None

    def answering(self) -> bool:
        return self._live is not None and self._live.alive() and self._live.reachable()

    def warm(self, release: str) -> Serving | None:
        """What answered before, if it still has `release` loaded."""
        previous = self._previous
        return previous if previous and previous.release == release and previous.alive() else None

    def note(self, event: Event, release: str, message: str = "", deployment: Deployment | None = None) -> None:
        now = datetime.now(UTC)
        self.files.append(Entry(at=now, event=event, release=release, message=message, deployment=deployment))

    def switch(self, serving: Serving, deployment: Deployment) -> None:
        """Lets `serving` answer and keeps the one before loaded. Raises Refused, and all is as it was."""
        with self._lock:
            try:
                pointer = self._hand_over(serving, deployment)
            except (Refused, OSError) as error:
                self._give_back(serving)
                raise Refused(f"{deployment.revision} does not answer, the one before goes on: {error}") from error
            left, self._previous, self._live = self._previous, self._live, serving
            self.pointer = pointer
            self.note(Event.LIVE, deployment.release, deployment=deployment)
            self.outages.end(deployment)
        self.stirred.set()
        log.info("%s: %s answers (%s by %s)", self._model, deployment.revision, deployment.action, deployment.by)
        if left and left is not serving:
            left.retire(self._means.drain_seconds)

    def recover(self, found: Sequence[Serving]) -> None:
        """Takes over what still runs; the pointer decides which of it answers."""
        with self._lock:
            self.files.mend()
            self.outages.recall()
            if self.pointer:
                self._live = _with_release(found, self.pointer.live)
                self._previous = _with_release(found, self.pointer.previous)
            if self._live and not self._obeys(self._live, self._live.go):
                self._live = None
            if self._previous and not self._obeys(self._previous, self._previous.drain):
                self._previous = None
            for serving in found:
                if serving not in (self._live, self._previous):
                    serving.retire(self._means.drain_seconds)
            if not self.pointer:
                self._means.backend.close_address(self._model)

    def keep_answering(self) -> bool:
        """Starts what should be live when it is not; after a failure waits a little longer each time.

        Whether nothing is left to do until something ends.
        """
        with self._lock:
            if not self.pointer:
                return True
            if self.answering():
                self.outages.end(self.pointer.live)
                return self._keep_whole(self.pointer.live)
            if self._patience.over():
                self._answer_again(self.pointer.live)
            return False

    def _answer_again(self, live: Deployment) -> None:
        lost = self._live if self._live and self._live.alive() else None
        if not self.outages.current:
            # A service that has just been started need not wake anybody before it has tried.
            self.outages.note(live, ADDRESS_LOST if lost else ENDED, tell=self._live is not None)
        try:
            if lost:
                lost.go()
                log.warning("%s: its address had been lost, %s is back", self._model, live.revision)
            else:
                self._restart(live)
            self._patience.succeed()
            self.outages.end(live)
        except Refused as error:
            log.error("%s does not answer: %s", self._model, error)
            self.outages.note(live, str(error))
            self._patience.fail(ADDRESS_PAUSE_SECONDS if isinstance(error, Unreachable) else LONGEST_PAUSE_SECONDS)

    def _keep_whole(self, live: Deployment) -> bool:
        if not self._live or self._live.whole():
            return True
        if self._mending.over():
            try:
                self._live.mend(self._means.store.find(self._model, live.release))
                self._mending.succeed()
            except Refused as error:
                log.error("%s answers with fewer replicas than it should: %s", self._model, error)
                self._mending.fail(LONGEST_PAUSE_SECONDS)
        return False

    def _hand_over(self, serving: Serving, deployment: Deployment) -> Pointer:
        serving.go()
        if self._live and self._live.alive():
            self._obeys(self._live, self._live.drain)
        pointer = move(self.pointer, deployment)
        self._means.backend.confirm(self._model, deployment.release)
        self.files.point(pointer)
        return pointer

    def _give_back(self, serving: Serving) -> None:
        if self._live and self._live.alive():
            self._obeys(self._live, self._live.go)
        if not self.pointer:
            self._means.backend.close_address(self._model)
        self._previous = None if serving is self._previous else self._previous
        serving.retire(self._means.drain_seconds)

    def _restart(self, live: Deployment) -> None:
        self._means.backend.open_address(self._model)
        serving = self._means.backend.start(self._means.store.find(self._model, live.release))
        try:
            serving.wait_ready()
            serving.go()
        except Refused:
            serving.kill()
            raise
        if self._live:
            self._live.kill()
        self._live = serving
        self.note(Event.RESTARTED, live.release)
        log.warning("%s: what answered had ended, %s answers again", self._model, live.revision)

    def _obeys(self, serving: Serving, order: Callable[[], None]) -> bool:
        """What does not obey is ended: what is live is then started again. A lost address is put back by the watch."""
        try:
            order()
        except Unreachable as error:
            log.warning("%s: %s", self._model, error)
        except Refused as error:
            log.warning("%s: %s: ending what does not obey", self._model, error)
            serving.kill()
            return False
        return True


def _with_release(found: Sequence[Serving], deployment: Deployment | None) -> Serving | None:
    return next((serving for serving in found if deployment and serving.release == deployment.release), None)
