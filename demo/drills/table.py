"""Outcomes as a table in Markdown, which a terminal shows as well."""

from collections.abc import Sequence

from demo.drills.gates import Outcome

HEAD = ("planted", "expected gate", "stopped at", "words")
_LONGEST = 110


def table(outcomes: Sequence[Outcome]) -> str:
    return lines([HEAD, *map(row, outcomes)])


def row(outcome: Outcome) -> tuple[str, ...]:
    what = f"`{outcome.plant.name}`: {outcome.plant.what}"
    return what, outcome.plant.expected, ", ".join(outcome.stopped_at) or "passes", _short(outcome.words)


def lines(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    shown = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in ruled)
    return "".join(f"| {line} |\n" for line in shown)


def _short(words: str) -> str:
    words = " ".join(words.split()).replace("|", "/")
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
