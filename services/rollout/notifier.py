"""Sends notifications to TRACKBACK_NOTIFY_URL, from a thread of its own: no deployment waits for the receiver."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event, Thread

from services.contract.backoff import Backoff
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.notification import NOTIFY_VARIABLE, Notification, NotificationKind, NotTaken, post

MOST_WAITING = 100
TRIES = 4
TRY_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 1.0
_LOOK_SECONDS = 0.5
log = logging.getLogger(__name__)


class Notifier:
    """Every notification is a line of the log; with an address it is also sent there, by a thread of its own."""

    def __init__(self, url: str | None = None, first_pause: float = FIRST_PAUSE_SECONDS) -> None:
        self._url, self._first_pause = url, first_pause
        self._waiting: Queue[Notification] = Queue(MOST_WAITING)
        self._closing = Event()
        if url:
            Thread(target=self._send_all, name="notify", daemon=True).start()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Notifier":
        return cls(environment.get(NOTIFY_VARIABLE, "").strip() or None)

    def tell(self, event: NotificationKind, deployment: Deployment, summary: str, by: str | None = None) -> None:
        """Returns at once, and never raises."""
        notification = Notification(
            event=event,
            model=deployment.model,
            revision=deployment.revision,
            at=datetime.now(UTC),
            summary=summary,
            by=by,
        )
        log.log(logging.ERROR if event is NotificationKind.DOWN else logging.WARNING, "%s", notification)
        if self._url:
            try:
                self._waiting.put_nowait(notification)
            except Full:
                log.error("%d notifications wait already, this one is not sent", MOST_WAITING)

    def close(self) -> None:
        self._closing.set()

    def _send_all(self) -> None:
        while not self._closing.is_set():
            try:
                self._send(self._waiting.get(timeout=_LOOK_SECONDS))
            except Empty:
                continue

    def _send(self, notification: Notification) -> None:
        backoff = Backoff(self._first_pause, growth=4)
        for attempt in range(1, TRIES + 1):
            try:
                post(str(self._url), notification, TRY_SECONDS)
            except Refused as refused:
                if attempt == TRIES or isinstance(refused, NotTaken) or self._closing.wait(backoff.fail()):
                    log.error("nobody was notified of '%s': %s", notification, refused)
                    return
            else:
                return
