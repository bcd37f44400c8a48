"""What survives a crash: for each model its address, its ledger, and the one pointer that decides what is live."""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from services.contract import names
from services.contract.deployment import Deployment, Retirement
from services.contract.errors import Refused
from services.contract.ledger import (
    Audit,
    Checkpoint,
    FaultKind,
    Head,
    JournalEntry,
    JournalEvent,
    audit,
    chained,
    lines_of,
)
from services.contract.record import HALF_WRITTEN, Record
from services.contract.secret_file import read_secret, write_token
from services.rollout.tally import Tally

__all__ = [
    "Address",
    "JournalEntry",
    "JournalEvent",
    "ModelFiles",
    "Pointer",
    "known_models",
    "live_entry",
    "make_key",
    "next_pointer",
    "remove_half_written",
    "retired",
    "retired_entry",
]

log = logging.getLogger(__name__)


class Pointer(Record):
    """`live` is None while the model is `retired`, and `newest` the deployment with the highest promotion number ever
    delivered, live or not."""

    live: Deployment | None
    previous: Deployment | None
    newest: Deployment
    retired: Retirement | None = None

    @property
    def back(self) -> Deployment | None:
        """Where a rollback leads: what was retired, else what was live before."""
        return self.retired.deployment if self.retired else self.previous


def next_pointer(pointer: Pointer | None, live: Deployment) -> Pointer:
    if pointer is None:
        return Pointer(live=live, previous=None, newest=live)
    newest = max(pointer.newest, live, key=lambda deployment: deployment.number)
    before = pointer.live or pointer.back
    # What comes back after it was retired has the one before it to go back to, not itself.
    previous = pointer.previous if before and before.release == live.release else before
    return Pointer(live=live, previous=previous, newest=newest)


def retired(pointer: Pointer, retirement: Retirement) -> Pointer:
    return pointer.model_copy(update={"live": None, "retired": retirement})


class Address(Record):
    """Where clients find a model: a port of this machine, or a slot of the gateway."""

    port: int | None = None
    slot: str | None = None


class ModelFiles:
    """The folder of one model. Every write is on disk when it returns; one process writes, from any of its threads."""

    def __init__(self, state: Path, model: str) -> None:
        self._model = model
        self._journal = state / model / names.JOURNAL_FILE
        self._pointer = state / model / "live.json"
        self._address = state / model / "address.json"
        self._checkpoint = state / names.LEDGER_FOLDER / f"{model}.json"
        self._key = state / names.LEDGER_FOLDER / names.LEDGER_KEY
        self._lock = Lock()
        self._head: Head | None = None
        self._owed: list[JournalEntry] = []
        # Apart, so that nothing that is written down waits for a long ledger that is read.
        self._tally_lock = Lock()
        self._tally, self._tallied, self._tallied_lines = Tally(), 0, 0

    def pointer(self) -> Pointer | None:
        return Pointer.read(self._pointer) if self._pointer.exists() else None

    def point(self, pointer: Pointer) -> None:
        pointer.write(self._pointer)

    def address(self) -> Address:
        return Address.read(self._address) if self._address.exists() else Address()

    def assign(self, address: Address) -> None:
        address.write(self._address)

    def append(self, entry: JournalEntry) -> None:
        """Chains it to the line before, and moves the checkpoint. Raises OSError, and then it was not written."""
        with self._lock:
            self._settle()
            self._append(entry)

    def owe(self, entry: JournalEntry) -> None:
        """Appends what has happened already and is not undone for want of its line: a disk that is full gets it, and
        before any later one, as soon as it takes it. Never raises."""
        with self._lock:
            self._owed.append(entry)
        if not self.settle():
            log.error("the ledger of %s does not have yet: %s %s", self._model, entry.event, entry.message)

    def settle(self) -> bool:
        """Appends what is owed; returns whether nothing is any more. Never raises."""
        with self._lock, suppress(OSError):
            self._settle()
        return not self._owed

    def _settle(self) -> None:
        while self._owed:
            self._append(self._owed[0])
            self._owed.pop(0)

    def _append(self, entry: JournalEntry) -> None:
        line, head = chained(entry, self._head or Head.of(self._content()))
        self._write(line + b"\n")
        self._head = head
        self._keep_checkpoint(head)

    def entries(self) -> Iterator[JournalEntry]:
        for number, line in enumerate(lines_of(self._content())):
            yield JournalEntry.from_json(line, f"{self._journal}:{number + 1}")

    def tally(self) -> Tally:
        """Of the whole lines. Reads what was written since it was asked last, because Prometheus asks every few seconds
        and a ledger only grows; one that became shorter is read anew."""
        with self._tally_lock:
            size = self._journal.stat().st_size if self._journal.exists() else 0
            if size < self._tallied:
                self._tally, self._tallied, self._tallied_lines = Tally(), 0, 0
            if size > self._tallied:
                self._tally_from(self._tallied)
            return self._tally

    def _tally_from(self, offset: int) -> None:
        with self._journal.open("rb") as file:
            file.seek(offset)
            whole = file.read().rpartition(b"\n")[0]
        lines = whole.splitlines()
        first = self._tallied_lines + 1
        places = (f"{self._journal}:{number}" for number in range(first, first + len(lines)))
        found = [JournalEntry.from_json(line, place) for line, place in zip(lines, places, strict=True)]
        self._tally.add(found)
        self._tallied_lines += len(lines)
        self._tallied += len(whole) + 1 if lines else 0

    def deployments(self) -> list[Deployment]:
        """Those that became live, in the order in which they did."""
        return [entry.deployment for entry in self.entries() if entry.deployment and entry.event is JournalEvent.LIVE]

    def audit(self) -> Audit:
        key = self._key_bytes()
        checkpoint = Checkpoint.read(self._checkpoint) if self._checkpoint.exists() else None
        return audit(self._model, self._content(), checkpoint, key)

    def repair(self) -> None:
        """Cuts off a line that a crash left half written, writes down what else is wrong with the ledger, and adds the
        last change where only the pointer knows it."""
        if self._journal.exists():
            whole = self._content().rpartition(b"\n")
            if whole[2]:
                os.truncate(self._journal, len(whole[0]) + len(whole[1]))
        self._note_fault()
        if (pointer := self.pointer()) and (missing := self._missing(pointer)):
            self.append(missing)

    def _missing(self, pointer: Pointer) -> JournalEntry | None:
        """The line of what the pointer says, unless the ledger's last change is that already."""
        changes = [one for one in self.entries() if one.event in (JournalEvent.LIVE, JournalEvent.RETIRED)][-1:]
        if pointer.live:
            known = [one.deployment for one in changes if one.event is JournalEvent.LIVE]
            return None if known == [pointer.live] else live_entry(pointer.live)
        if pointer.retired and [one.event for one in changes] != [JournalEvent.RETIRED]:
            return retired_entry(pointer.retired)
        return None

    def _note_fault(self) -> None:
        """The ledger goes on behind what was done to it: traffic does not wait for it, and nothing hides it."""
        fault = self.audit().fault
        if not fault or any(one.event is JournalEvent.BROKEN and one.message == fault.words for one in self.entries()):
            return
        if fault.kind is not FaultKind.RECORDED:
            log.error("the ledger of %s is broken: %s", self._model, fault.words)
            self.append(JournalEntry(at=datetime.now(UTC), event=JournalEvent.BROKEN, message=fault.words))

    def _content(self) -> bytes:
        return self._journal.read_bytes() if self._journal.exists() else b""

    def _write(self, line: bytes) -> None:
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("ab") as file:
            size = os.fstat(file.fileno()).st_size
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                # A full disk takes a part of a line, and the next one must not be written behind it.
                os.truncate(self._journal, size)
                raise

    def _keep_checkpoint(self, head: Head) -> None:
        """A ledger that is longer than its checkpoint is sound, so that nothing waits for this."""
        kept = Checkpoint(model=self._model, lines=head.number, hash=head.hash, at=datetime.now(UTC))
        try:
            key = self._key_bytes()
            (kept.signed(key) if key else kept).write(self._checkpoint)
        except (OSError, Refused) as error:
            log.warning("the checkpoint of %s stays behind its ledger: %s", self._model, error)

    def _key_bytes(self) -> bytes | None:
        return read_secret(self._key, "the key of the ledger's checkpoints").encode() if self._key.exists() else None


def live_entry(deployment: Deployment) -> JournalEntry:
    return _change(JournalEvent.LIVE, deployment, deployment.at, deployment.by, deployment.reason)


def retired_entry(retirement: Retirement) -> JournalEntry:
    one = retirement
    return _change(JournalEvent.RETIRED, one.deployment, one.at, one.by, one.reason)


def _change(event: JournalEvent, deployment: Deployment, at: datetime, by: str, reason: str) -> JournalEntry:
    return JournalEntry(
        at=at,
        event=event,
        release=deployment.release,
        message=reason,
        by=by,
        revision=deployment.revision,
        run_id=deployment.run_id,
        pipeline=deployment.pipeline,
        deployment=deployment,
    )


def make_key(state: Path) -> None:
    """Of the ledgers' checkpoints, once; for its owner alone."""
    path = state / names.LEDGER_FOLDER / names.LEDGER_KEY
    if not path.exists():
        write_token(path)


def remove_half_written(state: Path) -> None:
    """What a crash left of files that were about to be replaced; only while nobody else writes."""
    for folder in (state / names.LEDGER_FOLDER, *(state / model for model in known_models(state))):
        for path in folder.glob(HALF_WRITTEN):
            path.unlink()


def known_models(state: Path) -> list[str]:
    """Models that have a folder here, whether or not one of their releases ever became live."""
    return sorted(path.name for path in state.iterdir() if path.is_dir() and names.MODEL_NAME.fullmatch(path.name))
