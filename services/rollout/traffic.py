"""One model's traffic: which process answers, how another takes over, and who answers when one dies."""

import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.rollout.listeners import Listeners
from services.rollout.serving import Launcher, Serving
from services.rollout.state import Entry, Event, ModelFiles, Pointer, move
from services.rollout.store import Store

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """What the traffic of every model is made with; `confirm(url, release)` raises Refused for another answer."""

    state: Path
    store: Store
    launcher: Launcher
    listeners: Listeners
    confirm: Callable[[str, str], None]
    drain_seconds: float


class Traffic:
    def __init__(self, model: str, means: Means) -> None:
        self._model = model
        self._means = means
        self._lock = Lock()
        self._listener: socket.socket | None = None
        self._live: Serving | None = None
        self._previous: Serving | None = None
        self._pause, self._not_before = FIRST_PAUSE_SECONDS, 0.0
        self.files = ModelFiles(means.state, model)
        self.pointer = self.files.pointer()

    @property
    def url(self) -> str | None:
        port = self.files.port()
        return self._means.listeners.url(port) if port and self.pointer else None

    def answering(self) -> bool:
        return self._live is not None and self._live.alive()

    def warm(self, release: str) -> Serving | None:
        """The process that answered before, if it still has `release` loaded."""
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
        log.info("%s: %s answers (%s by %s)", self._model, deployment.revision, deployment.action, deployment.by)
        if left and left is not serving:
            left.retire(self._means.drain_seconds)

    def recover(self, found: Sequence[Serving]) -> None:
        """Takes over the processes that still run; the pointer decides which of them answers."""
        with self._lock:
            self.files.mend()
            self._listener = _borrow_listener(found)
            if self.pointer:
                self._live = _with_release(found, self.pointer.live)
                self._previous = _with_release(found, self.pointer.previous)
            if self._live and not self._obeys(self._live, lambda live: live.go(self._listening())):
                self._live = None
            if self._previous and not self._obeys(self._previous, lambda previous: previous.drain()):
                self._previous = None
            for serving in found:
                if serving not in (self._live, self._previous):
                    serving.retire(self._means.drain_seconds)
            if not self.pointer:
                self._close_listener()

    def keep_answering(self) -> None:
        """Starts what should be live when it is not; after a failure waits a little longer each time."""
        with self._lock:
            if not self.pointer or self.answering() or time.monotonic() < self._not_before:
                return
            try:
                self._restart(self.pointer.live)
                self._pause = FIRST_PAUSE_SECONDS
            except Refused as error:
                log.error("%s does not answer: %s", self._model, error)
                self._not_before = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """Listens no more; whoever asks now is told at once."""
        with self._lock:
            self._close_listener()

    def _hand_over(self, serving: Serving, deployment: Deployment) -> Pointer:
        serving.go(self._listening())
        if self._live and self._live.alive():
            self._obeys(self._live, lambda live: live.drain())
        pointer = move(self.pointer, deployment)
        self._means.confirm(self._means.listeners.url(self.files.port() or 0), deployment.release)
        self.files.point(pointer)
        return pointer

    def _give_back(self, serving: Serving) -> None:
        if self._live and self._live.alive():
            self._obeys(self._live, lambda live: live.go(self._listening()))
        if not self.pointer:
            self._close_listener()
        self._previous = None if serving is self._previous else self._previous
        serving.retire(self._means.drain_seconds)

    def _restart(self, live: Deployment) -> None:
        listener = self._listening()
        serving = self._means.launcher.start(self._means.store.find(self._model, live.release))
        try:
            serving.wait_ready()
            serving.go(listener)
        except Refused:
            serving.kill()
            raise
        if self._live:
            self._live.kill()
        self._live = serving
        self.note(Event.RESTARTED, live.release)
        log.warning("%s: its process had ended, %s answers again", self._model, live.revision)

    def _obeys(self, serving: Serving, order: Callable[[Serving], None]) -> bool:
        """A process that does not obey is ended: what is live is then started again."""
        try:
            order(serving)
        except Refused as error:
            log.warning("%s: %s: ending this process", self._model, error)
            serving.kill()
            return False
        return True

    def _listening(self) -> socket.socket:
        self._listener = self._listener or self._means.listeners.open(self._model)
        return self._listener

    def _close_listener(self) -> None:
        if self._listener:
            self._listener.close()
        self._listener = None


def _borrow_listener(found: Sequence[Serving]) -> socket.socket | None:
    for serving in found:
        with suppress(Refused):
            if listener := serving.listener():
                return listener
    return None


def _with_release(found: Sequence[Serving], deployment: Deployment | None) -> Serving | None:
    return next((serving for serving in found if deployment and serving.release == deployment.release), None)
