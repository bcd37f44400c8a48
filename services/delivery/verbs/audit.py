"""audit: whether anybody has changed a ledger since it was written."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.ledger import Audit, Fault, FaultKind
from services.contract.record import Record
from services.delivery.history.ledgers import Ledgers, find_ledgers
from services.delivery.history.words import plain
from services.delivery.output import emit
from services.delivery.settings import Settings
from services.delivery.verbs.history import AsJson, State


class Audits(Record):
    """One for each ledger. What `--json` printed once is what a later audit can be held `--against`."""

    ledgers: tuple[Audit, ...]

    @property
    def intact(self) -> bool:
        return all(one.intact for one in self.ledgers)


def audit(
    model: Annotated[str | None, typer.Argument(help="The model; all of them if not given.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="What an earlier audit printed as JSON and you kept elsewhere.")
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Check the hash chain of the ledgers and their checkpoints; name the first line that is not as it was written.

    Exit 1 when one is broken: a line changed, missing, out of order, repeated, or cut off at the end. Who can write
    the rollout service's state can write a new chain, too: keep the JSON of an audit elsewhere, and hold the next
    against it.
    Example: trackback audit --json > audit.json
    """
    ledgers = find_ledgers(Settings(), state)
    found = audited(ledgers, model, Audits.read(against) if against else Audits(ledgers=()))
    if as_json:
        emit(found)
    else:
        sys.stdout.writelines(f"{plain(words(one))}\n" for one in found.ledgers)
    if not found.intact:
        raise typer.Exit(1)


def audited(ledgers: Ledgers, model: str | None, kept: Audits) -> Audits:
    """Raises Refused when there is nothing to audit."""
    if model and not names.MODEL_NAME.fullmatch(model):
        raise Refused(f"expected the name of a model, found '{model[:64]}'")
    earlier = {one.model: one for one in kept.ledgers}
    chosen = [model] if model else sorted({*ledgers.models(), *earlier})
    found = [_held(ledgers, ledgers.audit(name), earlier.get(name)) for name in chosen]
    if not any(one.lines or one.fault for one in found):
        known = ", ".join(ledgers.models()) or "none"
        raise Refused(f"expected a ledger of {model or 'a model'}, found none: known models are {known}")
    return Audits(ledgers=tuple(found))


def words(found: Audit) -> str:
    if found.fault:
        return f"{found.model}: BROKEN at line {found.fault.line} ({found.fault.kind}): {found.fault.words}"
    older = f", {found.unchained} of them from before the chain and sealed by it" if found.unchained else ""
    signed = "signed" if found.signed else "unsigned"
    held = (
        f"held against the {signed} checkpoint at line {found.checkpoint.lines}"
        if found.checkpoint
        else "unchecked end"
    )
    return f"{found.model}: intact, {found.lines} lines{older}; {held}"


def _held(ledgers: Ledgers, found: Audit, kept: Audit | None) -> Audit:
    """As it is, unless it is not what it was when it was audited before."""
    if found.fault or kept is None or not kept.lines:
        return found
    if found.lines < kept.lines:
        told = f"expected {kept.lines} lines as the earlier audit found them, found {found.lines}"
        fault = Fault(line=found.lines + 1, kind=FaultKind.TRUNCATED, words=f"{told}: the end was cut off")
        return found.model_copy(update={"fault": fault})
    if ledgers.entries(found.model)[kept.lines - 1].hash == kept.hash:
        return found
    told = f"line {kept.lines} or one before it was changed: the earlier audit found another hash"
    fault = Fault(line=kept.lines, kind=FaultKind.CHANGED, words=told)
    return found.model_copy(update={"fault": fault})
