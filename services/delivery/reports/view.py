"""What both pages have: the verdict in a sentence, what decided, numbers, plots and what was judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.contract.record import Cell
from services.contract.verdict import Acceptance, Check, Verdict
from services.delivery.reports.drawing import Plot

MOST_REASONS = 8
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True)
class Reason:
    """One thing that decided: what it is, and how it came out in words."""

    words: str
    name: str = ""
    verdict: Verdict | None = None
    examples: tuple[dict[str, Cell], ...] = ()


@dataclass(frozen=True)
class Off:
    """A gate that model.yaml switches off, and what it found all the same."""

    name: str
    reason: str
    words: str


@dataclass(frozen=True)
class Tile:
    """A number with what it is held against."""

    name: str
    value: str
    lines: tuple[str, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class View:
    """Of both pages; each adds tables of its own."""

    title: str
    verdict: Verdict
    headline: str
    decided: tuple[Reason, ...]
    accepted: Acceptance | None
    warnings: tuple[str, ...]
    off: tuple[Off, ...]
    tiles: tuple[Tile, ...]
    plots: tuple[Plot, ...]
    facts: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]


def stopping(checks: Iterable[Check]) -> tuple[Reason, ...]:
    """The checks that stop it, what failed first; where they are many, the first and how many there are more."""
    stopped = sorted((one for one in checks if one.stops), key=lambda one: _WORST_FIRST.index(one.verdict))
    told = [
        Reason(f"expected {one.expected}, found {one.found}", one.name, one.verdict, one.examples)
        for one in stopped[:MOST_REASONS]
    ]
    more = len(stopped) - len(told)
    return (*told, Reason(f"{more} more, which the table of all checks names")) if more else tuple(told)


def switched_off(checks: Iterable[Check]) -> tuple[Off, ...]:
    return tuple(Off(one.name, one.off, f"{one.verdict}, {one.found}") for one in checks if one.off)


def worst_first(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Those that count and stop, then the others in the order in which they were made."""
    return tuple(sorted(checks, key=lambda one: _WORST_FIRST.index(one.verdict) if not one.off else len(_WORST_FIRST)))
