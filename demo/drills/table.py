"""Outcomes as a table in Markdown, which a terminal shows as well.

usage: scripts/drill --model diamond-price | .venv/dev/bin/python -m demo.drills.table    writes it into docs/gates.md
"""

import sys
from collections.abc import Sequence

from demo.drills.gates import Outcome
from services.contract.checkout import ROOT

PAGE = ROOT / "docs" / "gates.md"
BEGIN, END = "<!-- drill: diamond-price -->\n", "<!-- end of drill -->"
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


def with_table(page: str, printed: str) -> str:
    """`printed` is the output of a drill of one model."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    found = "".join(f"{line}\n" for line in printed.splitlines() if line.startswith("|"))
    return f"{before}{BEGIN}\n{found}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), sys.stdin.read()), encoding="utf-8")
