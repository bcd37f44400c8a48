"""history: all that happened to a model, from its ledger."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.contract.ledger import JournalEntry
from services.contract.record import ModelName, Record
from services.delivery.history.ledgers import entries_of, find_ledgers
from services.delivery.history.words import line
from services.delivery.output import emit
from services.delivery.settings import Settings

State = Annotated[
    Path | None, typer.Option(help="Read this state folder of a rollout service, in place of asking the service.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of lines for a person.")]


class History(Record):
    """The oldest entry first."""

    model: ModelName
    entries: tuple[JournalEntry, ...]


def history(
    model: Annotated[str, typer.Argument(help="The model.")], state: State = None, as_json: AsJson = False
) -> None:
    """Show what happened to a model: promoted, refused, packaged, switched, rolled back, retired; who, when and why.

    Needs neither MLflow nor GoCD, and without the rollout service it reads that one's files.
    Example: trackback history diamond-price
    """
    found = History(model=model, entries=tuple(entries_of(find_ledgers(Settings(), state), model)))
    if as_json:
        emit(found)
    else:
        sys.stdout.writelines(f"{line(entry)}\n" for entry in found.entries)
