"""What must hold of a rollout after every fault, I1 to I6 of the table of faults in docs/rollout.md: one checker for
fake and real processes.

Each function yields words for what is wrong, and nothing where all is well.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.contract.deployment import Action
from services.contract.errors import Refused
from services.contract.ledger import JournalEntry, JournalEvent
from services.rollout.release_store import ReleaseStore
from services.rollout.state import ModelFiles, Pointer
from tests.support.rollout_fakes import FakeMachine

CHANGES = (JournalEvent.LIVE, JournalEvent.RETIRED)


def wrong_in_files(state: Path, store: Path, model: str) -> Iterator[str]:
    """I1, I4, I5 and I6, as far as the disk knows."""
    files = ModelFiles(state, model)
    pointer, entries = files.pointer(), list(files.entries())
    if fault := files.audit().fault:
        yield f"I5: the ledger is broken: {fault.words}"
    yield from _wrong_last(pointer, [one for one in entries if one.event in CHANGES])
    delivered = [one.deployment for one in entries if one.event is JournalEvent.LIVE and one.deployment]
    times = Counter(one.revision for one in delivered if one.action is Action.DEPLOY)
    yield from (f"I1: {revision} was delivered {count} times" for revision, count in times.items() if count > 1)
    yield from (f"I4: a temporary file was left: {path}" for path in state.rglob(".*"))
    if pointer and pointer.live:
        yield from _wrong_digest(store, model, pointer.live.release)


def wrong_on(machine: FakeMachine, model: str) -> Iterator[str]:
    """All of it on a fake machine, between two steps."""
    yield from wrong_in_files(machine.state, machine.store, model)
    pointer = ModelFiles(machine.state, model).pointer()
    live = pointer.live.release if pointer and pointer.live else None
    yield from wrong_processes(machine.backend.accepting(), machine.backend.loaded(), pointer)
    for one in machine.backend.all + machine.backend.left:
        if one.running and one.split:
            yield f"I2: {one.release[:8]} hands requests on outside of a step, {live} is live"


def wrong_processes(accepting: Sequence[str], loaded: Sequence[str], pointer: Pointer | None) -> Iterator[str]:
    """I2 and I4: releases that accept, and those that are loaded, one for each process."""
    live = pointer.live.release if pointer and pointer.live else None
    if list(accepting) != ([live] if live else []):
        yield f"I2: expected {_short([live] if live else [])} to accept, found {_short(accepting)}"
    kept = {live, pointer.previous.release if pointer and pointer.previous else live} if live else set()
    if len(loaded) != len(set(loaded)) or not set(loaded) <= kept:
        yield f"I4: expected nothing loaded but {_short(kept)}, found {_short(loaded)}"


def _wrong_last(pointer: Pointer | None, changes: Sequence[JournalEntry]) -> Iterator[str]:
    last = changes[-1] if changes else None
    found = last.deployment if last and last.event is JournalEvent.LIVE else None
    if found != (pointer.live if pointer else None):
        yield f"I5: the pointer says {pointer and pointer.live}, the ledger's last change {found}"


def _wrong_digest(store: Path, model: str, release: str) -> Iterator[str]:
    try:
        ReleaseStore(store).find(model, release)
    except Refused as refusal:
        yield f"I6: {refusal}"


def _short(releases: object) -> str:
    return str([str(one)[:8] for one in releases]) if isinstance(releases, (list, set, tuple)) else str(releases)
