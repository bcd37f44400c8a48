"""What answered for a model at a moment, by its ledger alone."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.ledger import JournalEntry, JournalEvent
from services.contract.record import ModelName, Record

_CHANGES = (JournalEvent.LIVE, JournalEvent.RETIRED)
_UP = (JournalEvent.LIVE, JournalEvent.RETIRED, JournalEvent.RESTARTED, JournalEvent.BACK)


class Served(Record):
    """`deployment` answered at `at`, None when nothing was to; `until` is None when it still does. `down` says why it
    did not answer just then, empty when it did."""

    model: ModelName
    at: datetime
    deployment: Deployment | None
    since: datetime | None
    until: datetime | None
    down: str


def served(model: str, entries: Sequence[JournalEntry], at: datetime) -> Served:
    """By the order of the lines, and not by their clocks alone: a clock may have been set back in between."""
    before = max((place for place, one in enumerate(entries) if one.at <= at), default=-1)
    past, later = entries[: before + 1], entries[before + 1 :]
    change = next((one for one in reversed(past) if one.event in _CHANGES), None)
    live = change.deployment if change and change.event is JournalEvent.LIVE else None
    until = next((one.at for one in later if one.event in _CHANGES), None)
    return Served(
        model=model,
        at=at,
        deployment=live,
        since=change.at if change else None,
        until=until,
        down=_down(past) if live else "",
    )


def _down(past: Sequence[JournalEntry]) -> str:
    for entry in reversed(past):
        if entry.event in _UP:
            return ""
        if entry.event is JournalEvent.DOWN:
            return entry.message
    return ""


def moment(text: str, now: datetime) -> datetime:
    """Of ISO 8601, or as the verbs print it; without an offset it is UTC. Raises Refused, also for the future."""
    cleaned = text.strip().removesuffix("UTC").strip()
    try:
        found = datetime.fromisoformat(cleaned)
    except ValueError as error:
        raise Refused(f"expected a time such as 2026-01-02T03:04:05Z, found '{text[:64]}'") from error
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    if aware > now:
        raise Refused(f"expected a time that is past, found {aware.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return aware
