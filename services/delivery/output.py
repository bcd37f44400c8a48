"""Output of the verbs: JSON on stdout, lines for people on stderr, exit 1 unless a gate passed."""

import sys
from pathlib import Path

import typer

from services.contract.comparison import Comparison
from services.contract.record import Record
from services.contract.validation import Validation


def emit(record: Record) -> None:
    sys.stdout.write(record.to_json())
    sys.stdout.flush()


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def keep(record: Record, folder: Path | None, name: str) -> None:
    """Into the folder when one is given, else to stdout."""
    if folder:
        record.write(folder / name)
    else:
        emit(record)


def stop_unless_passed(judged: Validation | Comparison) -> None:
    """Exit 1, unless it passed or a person has accepted what could not be decided."""
    if not judged.passes:
        raise typer.Exit(1)
