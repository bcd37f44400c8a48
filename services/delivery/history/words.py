"""A ledger's line for a person: one line of the terminal, whatever stands in it."""

import re
from datetime import UTC, datetime

from services.contract.deployment import ANALYSIS, Action
from services.contract.ledger import JournalEntry, JournalEvent

_SAID = {
    JournalEvent.GATE_REFUSED: "refused at",
    JournalEvent.REFUSED: "candidate refused",
    JournalEvent.STEP: "step of",
    JournalEvent.WITHDRAWN: "withdrawn at",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def line(entry: JournalEntry) -> str:
    what = " ".join(part for part in (_event(entry), entry.stage, _revision(entry)) if part)
    who = f" by {_who(entry)}".removesuffix(" by ")
    reason = entry.message or (entry.deployment.reason if entry.deployment else "")
    pipeline = f" ({entry.pipeline.name} {entry.pipeline.counter})" if entry.pipeline else ""
    return plain(f"{utc(entry.at)}  {what}{who}{pipeline}{f': {reason}' if reason else ''}")


def utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(text: str) -> str:
    """Nothing that a terminal would obey."""
    return _CONTROL.sub(" ", text)


def _who(entry: JournalEntry) -> str:
    """That a step began or was good is nobody's doing."""
    if entry.by == ANALYSIS and entry.event in (JournalEvent.STEP, JournalEvent.RELEASED):
        return ""
    return entry.by or (entry.deployment.by if entry.deployment else "")


def _event(entry: JournalEntry) -> str:
    back = entry.deployment is not None and entry.deployment.action is Action.ROLLBACK
    if entry.event is JournalEvent.LIVE:
        return "rolled back to" if back else "switched to"
    return _SAID.get(entry.event, str(entry.event))


def _revision(entry: JournalEntry) -> str:
    revision = entry.revision or (entry.deployment.revision if entry.deployment else "")
    release = f"release {entry.release[:12]}…" if entry.release else ""
    return ", ".join(part for part in (revision, release) if part)
