"""Whether the hold-out can judge the model at all: its columns, its rows and its classes."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from services.contract.model_config import ModelConfig
from services.contract.verdict import Check
from services.delivery.gates.checks import check, undecided
from services.delivery.scoring.messages import Scores

GATE = "hold-out"
CLASSES = "classes"
_SHOWN = 10


def column_check(path: Path, config: ModelConfig) -> Check:
    """Of the file itself, before a row of it is read."""
    with path.open(newline="", encoding="utf-8") as file:
        found = next(csv.reader(file), [])
    expected = [*config.data.columns, config.data.target]
    missing, more = _listed(set(expected) - set(found)), _listed(set(found) - set(expected))
    told = [f"{words} {names}" for words, names in (("without", missing), ("with", more)) if names]
    differs = " and ".join(told) or f"another order: {', '.join(found)}"
    words = ", ".join(expected) if found == expected else f"{differs}: log the run again with this model.yaml"
    return check(GATE, found == expected, f"the columns {', '.join(expected)}", words, f"{GATE} columns")


def row_check(rows: int, config: ModelConfig) -> Check:
    least, name = config.gates.compare.min_rows, f"{GATE} rows"
    expected = f"at least {least} rows (gates.compare.min_rows)"
    if rows >= least:
        return check(GATE, True, expected, str(rows), name)
    return undecided(GATE, expected, f"{rows}, too few to tell: hold out more (data.holdout_percent)", name)


def class_checks(scores: Scores, actual: Sequence[Any]) -> list[Check]:
    """None for a model of numbers. A label that the model cannot answer fails; one that no row has is unproven."""
    if not scores.classes:
        return []
    known, asked = set(scores.classes), {str(label) for label in actual}
    expected = f"the {len(known)} classes of the model"
    if strangers := _listed(asked - known):
        found = f"labels that it does not know: {strangers}: train it on rows of them"
        return [check(CLASSES, False, expected, found)]
    if unproven := _listed(known - asked):
        return [undecided(CLASSES, expected, f"no row of {unproven}: hold out some, or nobody knows how it does there")]
    return [check(CLASSES, True, expected, f"rows of all {len(known)}")]


def _listed(names: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    told = sorted(names)
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return ", ".join(told[:_SHOWN]) + more
