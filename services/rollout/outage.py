"""Since when and why what is live does not answer; in the journal, so that a restart forgets nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.contract.deployment import Deployment
from services.contract.notification import NotificationKind
from services.rollout.notifier import Notifier
from services.rollout.state import JournalEntry, JournalEvent, ModelFiles

_UP = (JournalEvent.LIVE, JournalEvent.RETIRED, JournalEvent.RESTARTED, JournalEvent.BACK)


@dataclass(frozen=True)
class Outage:
    """`reason` is the last that was found."""

    since: datetime
    reason: str


class Outages:
    def __init__(self, files: ModelFiles, notifier: Notifier) -> None:
        self._files, self._notifier = files, notifier
        self._notified = False
        self.current: Outage | None = None

    def load(self) -> None:
        """From the journal."""
        for entry in self._files.entries():
            if entry.event in _UP:
                self.current = None
            elif entry.event is JournalEvent.DOWN:
                self.current = Outage(self.current.since if self.current else entry.at, entry.message)

    def went_down(self, live: Deployment, reason: str, tell: bool = True) -> None:
        """What is live does not answer. A new reason is written to the journal; a notification is sent once."""
        now = datetime.now(UTC)
        if not self.current or self.current.reason != reason:
            self._files.owe(JournalEntry(at=now, event=JournalEvent.DOWN, release=live.release, message=reason))
            self.current = Outage(self.current.since if self.current else now, reason)
        if tell and not self._notified:
            self._notifier.tell(NotificationKind.DOWN, live, reason)
            self._notified = True

    def forget(self) -> None:
        """Nothing is to answer any more."""
        self.current, self._notified = None, False

    def came_back(self, live: Deployment) -> None:
        """What is live answers."""
        if not self.current:
            return
        now = datetime.now(UTC)
        if self._notified:
            seconds = (now - self.current.since).total_seconds()
            self._notifier.tell(NotificationKind.UP, live, f"it answers again, after {seconds:.1f} s")
        self._files.owe(JournalEntry(at=now, event=JournalEvent.BACK, release=live.release))
        self.current, self._notified = None, False
