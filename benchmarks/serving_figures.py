"""What was measured of each server, and the ratios and tables that `benchmarks/serving` makes of it."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MOSTLY_BUSY = 0.9


@dataclass(frozen=True)
class Cell:
    """What is asked: so many rows in each request, over so many connections at once."""

    rows: int
    connections: int


@dataclass(frozen=True)
class Sample:
    """Of one cell in one round: requests in a second; seconds that half and 99 % of them took no longer than; seconds
    of a core for each request, of the server and of the load generator; the share of the time in which the server had
    work for a core, whether it got one or not."""

    rate: float
    p50: float
    p99: float
    cpu: float
    generator: float
    busy: float


@dataclass
class Result:
    """Of one server with one model; `reason` says why it has no figures, and `refused` why a cell has none."""

    server: str
    version: str = ""
    cold_starts: list[float] = field(default_factory=list)
    memory: int = 0
    memory_after: int = 0
    reason: str = ""
    samples: dict[Cell, list[Sample]] = field(default_factory=dict)
    refused: dict[Cell, str] = field(default_factory=dict)

    def median(self, cell: Cell, of: Callable[[Sample], float]) -> float:
        """NaN where nothing was measured."""
        found = [of(sample) for sample in self.samples.get(cell, ())]
        return statistics.median(found) if found and cell not in self.refused else math.nan


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; NaN has no place in JSON, so 0 where there is none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def ratio(one: Result, other: Result, cell: Cell, of: Callable[[Sample], float]) -> float:
    """The median of the ratios within a round, because what else the machine does changes from round to round."""
    if cell in one.refused or cell in other.refused:
        return math.nan
    pairs = zip(one.samples.get(cell, ()), other.samples.get(cell, ()), strict=False)
    found = [of(a) / of(b) for a, b in pairs if of(b)]
    return statistics.median(found) if found else math.nan


def tables(results: Sequence[Result], rows: Sequence[int], connections: Sequence[int]) -> str:
    """In Markdown: one of starts and memory, and one for each number of rows; the first result is ours."""
    parts = [_starts(results), *(_speeds(results, [Cell(number, one) for one in connections]) for number in rows)]
    missing = [f"- {one.server}: {one.reason}" for one in results if one.reason]
    missing += [
        f"- {one.server}, {_rows(cell.rows)}, c{cell.connections}: {why}"
        for one in results
        for cell, why in one.refused.items()
    ]
    return "\n\n".join([*parts, *(["Not measured:\n\n" + "\n".join(missing)] if missing else [])]) + "\n"


def generator_limits(echo: Result, cells: Sequence[Cell]) -> Iterator[str]:
    """A line for each cell in which the echo had to wait for the load generator, so that its figure is too low."""
    for cell in cells:
        busy = echo.median(cell, lambda sample: sample.busy)
        if busy < MOSTLY_BUSY:
            yield (
                f"{_rows(cell.rows)}, c{cell.connections}: expected the echo to have work ≥ {MOSTLY_BUSY:.0%} of the"
                f" time, found {busy:.0%}: the load generator or the machine was the limit, so ratios to the echo are"
                " too kind"
            )


def _starts(results: Sequence[Result]) -> str:
    lines = [_line("server", "version", "cold start, s", "memory, MB", "after the load, MB"), _line(*["---"] * 5)]
    for one in results:
        start = statistics.median(one.cold_starts) if one.cold_starts else math.nan
        memory = (_number(size / 1e6 or math.nan) for size in (one.memory, one.memory_after))
        lines.append(_line(one.server, one.version, _number(start), *memory))
    return "\n".join(lines)


def _speeds(results: Sequence[Result], cells: Sequence[Cell]) -> str:
    ours, most = results[0], cells[-1]
    heads = [
        _rows(most.rows),
        *(f"req/s c{one.connections}" for one in cells),
        *(f"p50 / p99 ms c{one.connections}" for one in cells),
        f"CPU µs/req c{most.connections}",
        f"ours : it, req/s c{most.connections}",
        "it : ours, CPU",
    ]
    lines = [_line(*heads), _line("---", *["--:"] * (len(heads) - 1))]
    lines += [_speed(one, ours, cells) for one in results if not one.reason]
    return "\n".join(lines)


def _speed(one: Result, ours: Result, cells: Sequence[Cell]) -> str:
    most = cells[-1]
    return _line(
        one.server,
        *(_number(one.median(cell, lambda sample: sample.rate)) for cell in cells),
        *(_both(1e3 * one.median(cell, _p50), 1e3 * one.median(cell, _p99)) for cell in cells),
        _number(1e6 * one.median(most, _cpu)),
        _number(ratio(ours, one, most, lambda sample: sample.rate)),
        _number(ratio(one, ours, most, _cpu)),
    )


def _p50(sample: Sample) -> float:
    return sample.p50


def _p99(sample: Sample) -> float:
    return sample.p99


def _cpu(sample: Sample) -> float:
    return sample.cpu


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _both(first: float, second: float) -> str:
    return f"{_number(first)} / {_number(second)}"


def _number(value: float) -> str:
    """Three digits that count; a dash where there is none."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def as_json(results: Mapping[str, Sequence[Result]]) -> dict[str, object]:
    """All samples, for whoever wants other ratios."""
    return {
        model: [
            {
                "server": one.server,
                "version": one.version,
                "reason": one.reason,
                "cold_starts": one.cold_starts,
                "memory": one.memory,
                "memory_after": one.memory_after,
                "cells": [
                    {
                        "rows": cell.rows,
                        "connections": cell.connections,
                        "refused": one.refused.get(cell, ""),
                        "rounds": [vars(sample) for sample in samples],
                    }
                    for cell, samples in one.samples.items()
                ],
            }
            for one in of_model
        ]
        for model, of_model in results.items()
    }
