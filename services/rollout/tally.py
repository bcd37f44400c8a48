"""What a ledger adds up to for metrics: each of its lines is read once, however often somebody asks."""

from collections import Counter
from collections.abc import Iterable

from services.contract.deployment import ANALYSIS, Action
from services.contract.ledger import JournalEntry, JournalEvent

PERSON = "person"


class Tally:
    """Counts of the entries that it was given, in their order; `rollbacks` by `analysis` or `person`."""

    def __init__(self, entries: Iterable[JournalEntry] = ()) -> None:
        self.events: Counter[JournalEvent] = Counter()
        self.actions: Counter[Action] = Counter()
        self.rollbacks: Counter[str] = Counter()
        self.taken_back = 0
        self._stepping: str | None = None
        self.add(entries)

    def add(self, entries: Iterable[JournalEntry]) -> None:
        for entry in entries:
            self.events[entry.event] += 1
            if entry.event is JournalEvent.LIVE and entry.deployment:
                self.actions[entry.deployment.action] += 1
                if entry.deployment.action is Action.ROLLBACK:
                    self.rollbacks[ANALYSIS if entry.deployment.by == ANALYSIS else PERSON] += 1
            self._follow(entry)

    def _follow(self, entry: JournalEntry) -> None:
        match entry.event:
            case JournalEvent.STEP:
                self._stepping = entry.release
            # One that is refused because something else became live meanwhile was not taken back.
            case JournalEvent.LIVE | JournalEvent.RETIRED:
                self._stepping = None
            case JournalEvent.REFUSED if self._stepping and entry.release == self._stepping:
                self.taken_back += 1
                self._stepping = None
