"""What survives a crash: for each model its address, its journal, and the one pointer that decides what is live."""

import os
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from services.contract import names
from services.contract.deployment import Deployment
from services.contract.record import Record, Sha256


class Pointer(Record):
    """`newest` is the deployment with the highest promotion number ever delivered, live or not."""

    live: Deployment
    previous: Deployment | None
    newest: Deployment


def next_pointer(pointer: Pointer | None, live: Deployment) -> Pointer:
    if pointer is None:
        return Pointer(live=live, previous=None, newest=live)
    newest = max(pointer.newest, live, key=lambda deployment: deployment.number)
    return Pointer(live=live, previous=pointer.live, newest=newest)


class Address(Record):
    """Where clients find a model: a port of this machine, or a slot of the gateway."""

    port: int | None = None
    slot: str | None = None


class JournalEvent(StrEnum):
    STARTED = "started"
    REFUSED = "refused"
    LIVE = "live"
    RESTARTED = "restarted"
    DOWN = "down"
    BACK = "back"


class JournalEntry(Record):
    """A line of the journal; `deployment` is there when a release became live, `message` when there is a reason."""

    at: datetime
    event: JournalEvent
    release: Sha256
    message: str = ""
    deployment: Deployment | None = None


class ModelFiles:
    """The folder of one model. Every write is on disk when it returns."""

    def __init__(self, state: Path, model: str) -> None:
        self._journal = state / model / "journal.jsonl"
        self._pointer = state / model / "live.json"
        self._address = state / model / "address.json"

    def pointer(self) -> Pointer | None:
        return Pointer.read(self._pointer) if self._pointer.exists() else None

    def point(self, pointer: Pointer) -> None:
        pointer.write(self._pointer)

    def address(self) -> Address:
        return Address.read(self._address) if self._address.exists() else Address()

    def assign(self, address: Address) -> None:
        address.write(self._address)

    def append(self, entry: JournalEntry) -> None:
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("ab") as file:
            file.write(entry.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> Iterator[JournalEntry]:
        if self._journal.exists():
            for number, line in enumerate(self._journal.read_bytes().splitlines()):
                yield JournalEntry.from_json(line, f"{self._journal}:{number + 1}")

    def deployments(self) -> list[Deployment]:
        return [entry.deployment for entry in self.entries() if entry.deployment]

    def repair(self) -> None:
        """Cuts off a line that a crash left half written, and adds a deployment that only the pointer knows."""
        if self._journal.exists():
            whole = self._journal.read_bytes().rpartition(b"\n")
            if whole[2]:
                os.truncate(self._journal, len(whole[0]) + len(whole[1]))
        live = pointer.live if (pointer := self.pointer()) else None
        if live and live not in self.deployments()[-1:]:
            self.append(JournalEntry(at=live.at, event=JournalEvent.LIVE, release=live.release, deployment=live))


def known_models(state: Path) -> list[str]:
    """Models that have a folder here, whether or not one of their releases ever became live."""
    return sorted(path.name for path in state.iterdir() if path.is_dir() and names.MODEL_NAME.fullmatch(path.name))
