"""Since when and why what is live does not answer; in the journal, so that a restart forgets nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.rollout.state import Entry, Event, ModelFiles

_UP = (Event.LIVE, Event.RESTARTED, Event.BACK)


@dataclass(frozen=True)
class Outage:
    """`reason` is the last that was found."""

    since: datetime
    reason: str


class Outages:
    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self.current: Outage | None = None

    def recall(self) -> None:
        """What the journal says."""
        for entry in self._files.entries():
            if entry.event in _UP:
                self.current = None
            elif entry.event is Event.DOWN:
                self.current = Outage(self.current.since if self.current else entry.at, entry.message)

    def note(self, release: str, reason: str) -> None:
        """It does not answer. Only what is new is written."""
        if self.current and self.current.reason == reason:
            return
        now = datetime.now(UTC)
        self._files.append(Entry(at=now, event=Event.DOWN, release=release, message=reason))
        self.current = Outage(self.current.since if self.current else now, reason)

    def end(self, release: str) -> None:
        """It answers."""
        if self.current:
            self._files.append(Entry(at=datetime.now(UTC), event=Event.BACK, release=release))
            self.current = None
