"""The ledger of a model: who did what when, one JSON line each, every line holding the hash of the one before it.

A line is canonical JSON (sorted keys, no blanks), `hash` the SHA-256 of the rest of it. The first line that has one
seals what stands before it: its `before` is the SHA-256 of all earlier bytes, so journals from before the chain are
read as they are.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import StringConstraints

from services.contract import names
from services.contract.candidate import PipelineRef
from services.contract.deployment import Deployment, StepOrder
from services.contract.record import ModelName, Record, Revision, RunId, Sha256, Words

LONGEST_WORDS = 2000


class JournalEvent(StrEnum):
    PROMOTED = "promoted"
    GATE_REFUSED = "gate-refused"
    PACKAGED = "packaged"
    WITHDRAWN = "withdrawn"
    STARTED = "started"
    REFUSED = "refused"
    STEP = "step"
    LIVE = "live"
    RELEASED = "released"
    RETIRED = "retired"
    RESTARTED = "restarted"
    DOWN = "down"
    BACK = "back"
    BROKEN = "broken"


class JournalEntry(Record):
    """A line. `deployment` is there when a release became live or was retired, `message` when there is a reason,
    `stage` for what a gate said, `order` for what a person ordered in a step; `number`, `before` and `hash` chain it,
    and older journals do not have them."""

    at: datetime
    event: JournalEvent
    release: Sha256 | None = None
    message: str = ""
    deployment: Deployment | None = None
    by: str = ""
    revision: Revision | None = None
    run_id: RunId | None = None
    stage: str = ""
    pipeline: PipelineRef | None = None
    order: StepOrder | None = None
    number: int | None = None
    before: Sha256 | None = None
    hash: Sha256 | None = None


class LedgerNote(Record):
    """What a stage of the delivery tells the rollout service, which writes it into the ledger once."""

    event: Literal[JournalEvent.PROMOTED, JournalEvent.GATE_REFUSED, JournalEvent.PACKAGED, JournalEvent.WITHDRAWN]
    revision: Revision
    run_id: RunId
    release: Sha256 | None = None
    by: Annotated[Words, StringConstraints(max_length=LONGEST_WORDS)] = ""
    message: Annotated[Words, StringConstraints(max_length=LONGEST_WORDS)] = ""
    stage: Annotated[str, StringConstraints(pattern=r"^[a-z-]{0,40}$")] = ""
    pipeline: PipelineRef | None = None

    def is_told_by(self, entry: JournalEntry) -> bool:
        return all(getattr(entry, name) == getattr(self, name) for name in type(self).model_fields)


class Checkpoint(Record):
    """How long the ledger was and what its last line's hash was; `signature` is HMAC-SHA256 of the rest under the key
    of the rollout service's state, None where there is no key."""

    model: ModelName
    lines: int
    hash: Sha256
    at: datetime
    signature: Sha256 | None = None

    def signed(self, key: bytes) -> Self:
        return self.model_copy(update={"signature": self._signature(key)})

    def is_signed_by(self, key: bytes) -> bool:
        return self.signature is not None and hmac.compare_digest(self.signature, self._signature(key))

    def _signature(self, key: bytes) -> str:
        content = self.model_dump(mode="json", exclude={"signature"})
        return hmac.new(key, canonical(content), hashlib.sha256).hexdigest()


class FaultKind(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    REPEATED = "repeated"
    TRUNCATED = "truncated"
    UNSIGNED = "checkpoint not signed"
    RECORDED = "recorded"


class Fault(Record):
    """The first thing that is wrong; `line` counts from 1."""

    line: int
    kind: FaultKind
    words: str


class Audit(Record):
    """What a check of the chain found. The first `unchained` lines are older than the chain, and sealed by its first
    line; `hash` is that of the last line. `checkpoint` is what the ledger was held against, None without one."""

    model: ModelName
    lines: int
    unchained: int
    hash: Sha256 | None
    checkpoint: Checkpoint | None
    signed: bool
    fault: Fault | None

    @property
    def intact(self) -> bool:
        return self.fault is None


@dataclass(frozen=True)
class Head:
    """What the next line follows: how many lines there are, and the hash that it must hold."""

    number: int
    hash: str

    @classmethod
    def of(cls, content: bytes) -> "Head":
        """Of a journal's bytes, whose last line is whole."""
        lines = lines_of(content)
        stated = str(_parsed(lines[-1]).get("hash")) if lines else ""
        fits = names.SHA256.fullmatch(stated)
        return cls(len(lines), stated if fits else hashlib.sha256(content).hexdigest())


def lines_of(content: bytes) -> list[bytes]:
    """Only a newline ends one: Python's own `splitlines` takes a carriage return for that as well."""
    return content.removesuffix(b"\n").split(b"\n") if content else []


def chained(entry: JournalEntry, head: Head) -> tuple[bytes, Head]:
    """The line of `entry` without its newline, and the head after it."""
    linked = entry.model_copy(update={"number": head.number + 1, "before": head.hash, "hash": None})
    content = linked.model_dump(mode="json", exclude_defaults=True)
    own = _own_hash(content)
    return canonical({**content, "hash": own}), Head(head.number + 1, own)


def canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def audit(model: str, content: bytes, checkpoint: Checkpoint | None, key: bytes | None) -> Audit:
    """Holds a journal's bytes against their own hashes and against a checkpoint; `key` is what that is signed with.

    What stands behind the last newline is not a line yet: whoever writes it has not finished.
    """
    whole = content[: content.rfind(b"\n") + 1]
    lines = lines_of(whole)
    unchained = next((place for place, line in enumerate(lines) if _parsed(line).get("hash")), len(lines))
    fault = _first_fault(lines, unchained) or _against(lines, checkpoint, key) or _recorded(lines)
    return Audit(
        model=model,
        lines=len(lines),
        unchained=unchained,
        hash=Head.of(whole).hash if lines else None,
        checkpoint=checkpoint,
        signed=bool(checkpoint and key and checkpoint.is_signed_by(key)),
        fault=fault,
    )


def _first_fault(lines: Sequence[bytes], unchained: int) -> Fault | None:
    found = [_parsed(line) for line in lines]
    numbers = {one.get("number") for one in found[unchained:]}
    before = hashlib.sha256(b"".join(line + b"\n" for line in lines[:unchained])).hexdigest()
    for place in range(unchained, len(lines)):
        number, one = place + 1, found[place]
        if one.get("hash") != _own_hash(one) or canonical(one) != lines[place]:
            return Fault(line=number, kind=FaultKind.CHANGED, words=f"line {number} was changed: its hash is another")
        if one.get("number") != number:
            return _misplaced(number, one.get("number"), numbers)
        if one.get("before") != before:
            return _replaced(place, unchained)
        before = one["hash"]
    return None


def _misplaced(expected: int, found: object, numbers: Iterable[object]) -> Fault:
    if not isinstance(found, int) or found < expected:
        words = f"expected line {expected}, found line {found} again"
        return Fault(line=expected, kind=FaultKind.REPEATED, words=words)
    if expected in numbers:
        words = f"expected line {expected}, found line {found} in its place"
        return Fault(line=expected, kind=FaultKind.REORDERED, words=words)
    return Fault(line=expected, kind=FaultKind.MISSING, words=f"line {expected} is missing: line {found} comes next")


def _replaced(place: int, unchained: int) -> Fault:
    """The line before `place` is sound in itself and still not the one that this line was written after."""
    if place == unchained:
        words = f"the lines before {place + 1} were changed: they are not those that line {place + 1} sealed"
        return Fault(line=max(place, 1), kind=FaultKind.CHANGED, words=words)
    words = f"line {place} was changed: line {place + 1} was written after another one"
    return Fault(line=place, kind=FaultKind.CHANGED, words=words)


def _against(lines: Sequence[bytes], checkpoint: Checkpoint | None, key: bytes | None) -> Fault | None:
    if checkpoint is None:
        return None
    told = f"the checkpoint of {checkpoint.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if key and not checkpoint.is_signed_by(key):
        words = f"expected {told} to be signed with this state's key, found it unsigned or signed with another"
        return Fault(line=checkpoint.lines, kind=FaultKind.UNSIGNED, words=words)
    if len(lines) < checkpoint.lines:
        words = f"expected {checkpoint.lines} lines as {told} has them, found {len(lines)}: the end was cut off"
        return Fault(line=len(lines) + 1, kind=FaultKind.TRUNCATED, words=words)
    if _parsed(lines[checkpoint.lines - 1]).get("hash") != checkpoint.hash:
        words = f"line {checkpoint.lines} was changed: it is not the one of {told}"
        return Fault(line=checkpoint.lines, kind=FaultKind.CHANGED, words=words)
    return None


def _recorded(lines: Sequence[bytes]) -> Fault | None:
    """What the rollout service itself found broken when it started, and wrote down before it went on."""
    for place, line in enumerate(lines):
        if (found := _parsed(line)).get("event") == JournalEvent.BROKEN:
            words = f"line {place + 1} says: {found.get('message')}"
            return Fault(line=place + 1, kind=FaultKind.RECORDED, words=words)
    return None


def _own_hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical({name: one for name, one in content.items() if name != "hash"})).hexdigest()


def _parsed(line: bytes) -> dict[str, Any]:
    """Empty for what is no JSON object."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
