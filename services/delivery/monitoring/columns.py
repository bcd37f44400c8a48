"""One column of a window beside that of the hold-out: which tests it is put to, by what its values are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self

import numpy

from services.contract.cells import is_missing, number
from services.contract.distribution import Distribution
from services.contract.moments import MOMENTS
from services.contract.monitoring import Bin
from services.contract.monitoring_rules import MonitoringRules
from services.contract.release import Column
from services.delivery.reports import words
from services.delivery.statistics import drift, new_words
from services.delivery.statistics.drift import Found, Index

Kind = Literal["numbers", "moments", "categories", "texts"]
VALUES, MISSING, UNSEEN, LENGTH, NEW_WORDS = "values", "missing share", "unseen values", "text length", "new words"
OF_INDEX = (VALUES, LENGTH)
_MOVES = "a moment moves by itself"
# From this share of different values on, a string is a text of its own in each row and no name of a kind.
_OWN = 0.5
_MOST_BINS = 12


@dataclass(frozen=True)
class Look:
    """A test, and from which size on what it found matters."""

    what: str
    found: Found
    matters: float


@dataclass(frozen=True)
class Measured:
    """A column before all tests of a report are corrected together. `few` where values are too few to be tested."""

    name: str
    kind: Kind
    rows_before: int
    rows_now: int
    missing_before: float
    missing_now: float
    index: Index | None
    looks: tuple[Look, ...]
    bins: tuple[Bin, ...]
    unseen: float | None
    few: bool
    off: str | None


def measured(column: Column, before: Sequence[Any], now: Sequence[Any], rules: MonitoringRules) -> Measured:
    """Both of shape (rows,), with at least one row. Missing values are counted apart, and left out of all else."""
    then, after = _Told.of(before), _Told.of(now)
    few = min(len(then.cells), len(after.cells)) < rules.min_rows
    kind = _kind(column, then.cells)
    values = None if few else _VALUES[kind](column, then.cells, after.cells, rules)
    return Measured(
        name=column.name,
        kind=kind,
        rows_before=len(then.cells),
        rows_now=len(after.cells),
        missing_before=then.absent / then.rows,
        missing_now=after.absent / after.rows,
        index=values.index if values else None,
        looks=(*_missing(column, then, after, rules), *(values.looks if values else ())),
        bins=values.bins if values else (),
        unseen=values.unseen if values else None,
        few=few,
        off=rules.reason_off(column.name) or (_MOVES if kind == "moments" else None),
    )


def of_recorded(name: str, before: Distribution, now: Sequence[Any], rules: MonitoringRules) -> Measured:
    """Answers beside the release's own record of those to the hold-out: rows a bin, or of each label."""
    few = min(before.rows, len(now)) < rules.min_rows
    if before.labels:
        values = _of_counts(before.labels, Counter(map(str, now)), rules)
    else:
        counts = drift.binned(numpy.asarray(now, dtype=float), numpy.array(before.edges))
        values = _of_bins(_ranges(before.edges), numpy.array(before.counts), counts, rules)
    return Measured(
        name, "categories" if before.labels else "numbers", before.rows, len(now), 0.0, 0.0,
        values.index, () if few else values.looks, values.bins, values.unseen, few, None,
    )  # fmt: skip


@dataclass(frozen=True)
class _Told:
    """The cells that have a value, of so many rows."""

    cells: list[Any]
    rows: int

    @classmethod
    def of(cls, cells: Sequence[Any]) -> Self:
        return cls([cell for cell in cells if not is_missing(cell)], len(cells))

    @property
    def absent(self) -> int:
        return self.rows - len(self.cells)


@dataclass(frozen=True)
class _Values:
    index: Index
    looks: tuple[Look, ...]
    bins: tuple[Bin, ...]
    unseen: float | None = None


def _kind(column: Column, told: Sequence[Any]) -> Kind:
    if column.type in MOMENTS:
        return "moments"
    if column.type in ("double", "long"):
        return "numbers"
    return "texts" if column.type == "string" and len(set(told)) > _OWN * len(told) else "categories"


def _missing(column: Column, before: _Told, now: _Told, rules: MonitoringRules) -> Iterator[Look]:
    """Of a column that may be missing, also where it is not: which tests share the errors is settled beforehand."""
    if not column.required and min(before.rows, now.rows) >= rules.min_rows:
        found = drift.share_moved(before.absent, before.rows, now.absent, now.rows)
        yield Look(MISSING, found, rules.share)


def _numbers(column: Column, before: Sequence[Any], now: Sequence[Any], rules: MonitoringRules) -> _Values:
    first, second = (numpy.array([number(cell, column) for cell in cells]) for cells in (before, now))
    return _of_numbers(first, second, rules, VALUES)


def _of_numbers(before: numpy.ndarray, now: numpy.ndarray, rules: MonitoringRules, what: str) -> _Values:
    edges = drift.edges_of(before)
    counts = drift.binned(before, edges), drift.binned(now, edges)
    index = drift.index(*counts, rules.confidence)
    found = Found("Kolmogorov-Smirnov", *drift.same_numbers(before, now), max(0.0, index.beyond_chance))
    return _Values(index, (Look(what, found, rules.psi),), _bins(_ranges(edges.tolist()), *counts))


def _of_bins(names: Sequence[str], before: numpy.ndarray, now: numpy.ndarray, rules: MonitoringRules) -> _Values:
    index = drift.index(before, now, rules.confidence)
    found = Found("chi-squared", *drift.same_bins(before, now), max(0.0, index.beyond_chance))
    return _Values(index, (Look(VALUES, found, rules.psi),), _bins(names, before, now))


def _categories(column: Column, before: Sequence[Any], now: Sequence[Any], rules: MonitoringRules) -> _Values:
    """A truth value that may be missing is a number to some who serve it."""
    word = (lambda cell: str(bool(cell))) if column.type == "boolean" else str
    return _of_counts(Counter(map(word, before)), Counter(map(word, now)), rules)


def _of_counts(before: dict[str, int], now: Counter[str], rules: MonitoringRules) -> _Values:
    values = _of_bins(*drift.pooled(before, now), rules)
    unseen = drift.unseen(before, now)
    return _Values(values.index, (*values.looks, Look(UNSEEN, unseen, rules.share)), values.bins, unseen.statistic)


def _texts(column: Column, before: Sequence[Any], now: Sequence[Any], rules: MonitoringRules) -> _Values:  # noqa: ARG001
    values = _of_numbers(_lengths(before), _lengths(now), rules, LENGTH)
    learnt, held_out = new_words.halves(before)
    known = new_words.vocabulary(learnt)
    shares = new_words.new_shares(held_out, known), new_words.new_shares(now, known)
    if not all(shares):
        return values
    found = drift.more(*shares)
    return _Values(values.index, (*values.looks, Look(NEW_WORDS, found, rules.share)), values.bins, found.size)


def _lengths(texts: Sequence[Any]) -> numpy.ndarray:
    return numpy.array([len(str(text)) for text in texts], dtype=float)


_VALUES = {"numbers": _numbers, "moments": _numbers, "categories": _categories, "texts": _texts}


def _ranges(edges: Sequence[float]) -> list[str]:
    shown = [words.number(edge) for edge in edges]
    if not shown:
        return ["all values"]
    between = [f"{low} to {high}" for low, high in pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"above {shown[-1]}"]


def _bins(names: Sequence[str], before: numpy.ndarray, now: numpy.ndarray) -> tuple[Bin, ...]:
    """Of many words those that moved most."""
    shares = before / before.sum(), now / now.sum()
    found = [
        Bin(name=name, before=float(then), now=float(after)) for name, then, after in zip(names, *shares, strict=True)
    ]
    furthest = sorted(found, key=lambda one: -abs(one.now - one.before))[:_MOST_BINS]
    return tuple(one for one in found if one in furthest)
