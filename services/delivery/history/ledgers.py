"""Ledgers, as the rollout service tells them, or read from the files of its state while it is away."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.contract import names
from services.contract.errors import Refused, Unavailable
from services.contract.ledger import Audit, Checkpoint, JournalEntry, audit
from services.contract.secret_file import read_secret
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import say
from services.delivery.settings import Settings


class Ledgers(Protocol):
    """Every method raises Refused when it cannot tell."""

    def models(self) -> list[str]: ...

    def entries(self, model: str) -> Sequence[JournalEntry]: ...

    def audit(self, model: str) -> Audit: ...


@dataclass(frozen=True)
class Told:
    """By the rollout service, which checks its own files."""

    rollout: Rollout

    def models(self) -> list[str]:
        return sorted(one.model for one in self.rollout.states())

    def entries(self, model: str) -> Sequence[JournalEntry]:
        return self.rollout.ledger(model)

    def audit(self, model: str) -> Audit:
        return self.rollout.audit(model)


@dataclass(frozen=True)
class Kept:
    """In the rollout service's state, by the files alone."""

    state: Path

    def models(self) -> list[str]:
        """Those with a ledger, and those of which only the checkpoint is left."""
        kept = {path.parent.name for path in self.state.glob(f"*/{names.JOURNAL_FILE}")}
        return sorted(kept | {path.stem for path in (self.state / names.LEDGER_FOLDER).glob("*.json")})

    def entries(self, model: str) -> Sequence[JournalEntry]:
        lines = enumerate(self._content(model).splitlines(keepends=True), start=1)
        whole = [(number, line) for number, line in lines if line.endswith(b"\n")]
        return [JournalEntry.from_json(line, f"{self._journal(model)}:{number}") for number, line in whole]

    def audit(self, model: str) -> Audit:
        folder = self.state / names.LEDGER_FOLDER
        checkpoint, key = folder / f"{model}.json", folder / names.LEDGER_KEY
        return audit(
            model,
            self._content(model),
            Checkpoint.read(checkpoint) if checkpoint.exists() else None,
            read_secret(key, "the key of the ledger's checkpoints").encode() if key.exists() else None,
        )

    def _content(self, model: str) -> bytes:
        path = self._journal(model)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise Refused(f"{path}: expected a ledger, cannot read it: {error.strerror}") from error

    def _journal(self, model: str) -> Path:
        return self.state / model / names.JOURNAL_FILE


def find_ledgers(settings: Settings, state: Path | None) -> Ledgers:
    """Those in `state` when it is given; else those of the rollout service, or of its state while it is away.

    Raises Refused when there are neither.
    """
    if state:
        if not state.is_dir():
            raise Refused(f"expected the state of a rollout service in {state}, found no folder")
        return Kept(state)
    rollout = Rollout(settings.rollout_url)
    try:
        rollout.states()
    except Unavailable as away:
        if not settings.rollout_state.is_dir():
            raise Refused(f"{away} Or name the folder of its state by --state") from away
        say(f"note: the rollout service at {settings.rollout_url} does not answer: read from {settings.rollout_state}")
        return Kept(settings.rollout_state)
    return Told(rollout)


def entries_of(ledgers: Ledgers, model: str) -> Sequence[JournalEntry]:
    """Raises Refused for a model of which nothing is recorded."""
    if not names.MODEL_NAME.fullmatch(model):
        raise Refused(f"expected the name of a model, found '{model[:64]}'")
    if found := ledgers.entries(model):
        return found
    known = ", ".join(ledgers.models()) or "none"
    raise Refused(f"expected a ledger of {model}, found none: known models are {known}")
