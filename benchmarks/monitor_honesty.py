"""`benchmarks/monitor-honesty`: how often monitor is sure of drift where there is none, and how often it finds one that
was planted: simulated on windows whose true distribution is known."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any

import numpy

from services.contract.checkout import ROOT
from services.contract.monitoring import ColumnDrift, Drift
from services.contract.monitoring_rules import MonitoringRules
from services.contract.release import Column
from services.delivery.monitoring.columns import measured
from services.delivery.monitoring.judged import judged

PAGE = ROOT / "docs" / "monitoring.md"
RULES = MonitoringRules()
HOLDOUT_ROWS, ROWS = 2000, (500, 2000)
ERRORS = 1 - RULES.confidence
NOTHING = "nothing"
COLUMNS = (
    Column(name="normal", type="double"),
    Column(name="skewed", type="double"),
    Column(name="few values", type="long"),
    Column(name="at times missing", type="double", required=False),
    Column(name="kinds", type="string"),
    Column(name="long tail", type="string"),
    Column(name="truth", type="boolean"),
    Column(name="text", type="string"),
)
_LETTERS = numpy.array(list("abcdefghijklmnopqrstuvwxyz"))
_WORDS = 400
_TABLE = re.compile(r"(<!-- table: monitor-honesty, .* -->\n)(?:.*\n)*?(<!-- end of table -->\n)")

Cells = dict[str, list[Any]]
Plant = Callable[[numpy.random.Generator, Cells], Cells]


@dataclass(frozen=True)
class Line:
    """Of so many windows of so many rows: in how many any test was sure, and in how many a column drifted."""

    planted: str
    rows: int
    windows: int
    sure: int
    drifted: int


def drawn(random: numpy.random.Generator, rows: int) -> Cells:
    """As production would be if it were like the hold-out."""
    missing = random.random(rows) < 0.05
    return {
        "normal": random.normal(size=rows).tolist(),
        "skewed": numpy.round(random.lognormal(size=rows), 2).tolist(),
        "few values": random.integers(1, 8, rows).tolist(),
        "at times missing": [None if no else one for no, one in zip(missing, random.gamma(2, size=rows), strict=True)],
        "kinds": random.choice(["red", "green", "blue"], rows, p=[0.6, 0.3, 0.1]).tolist(),
        "long tail": [f"kind {place}" for place in random.zipf(1.5, rows)],
        "truth": (random.random(rows) < 0.7).tolist(),
        "text": _texts(random, rows, 0),
    }


def _texts(random: numpy.random.Generator, rows: int, first: int) -> list[str]:
    """Of words whose frequencies have a long tail; those of another `first` are others."""
    words = [_word(place) for place in range(first, first + _WORDS)]
    chances = 1 / numpy.arange(1, _WORDS + 1)
    chosen = random.choice(_WORDS, (rows, 8), p=chances / chances.sum())
    lengths = random.integers(3, 9, rows)
    return [" ".join(words[one] for one in places[:most]) for places, most in zip(chosen, lengths, strict=True)]


def _word(place: int) -> str:
    return "".join(_LETTERS[numpy.random.default_rng(place).integers(0, len(_LETTERS), 6)])


def _changed(column: str, change: Callable[[numpy.random.Generator, list[Any]], list[Any]]) -> Plant:
    return lambda random, cells: {**cells, column: change(random, cells[column])}


def _some(share: float, value: Callable[[Any], Any]) -> Callable[[numpy.random.Generator, list[Any]], list[Any]]:
    def change(random: numpy.random.Generator, cells: list[Any]) -> list[Any]:
        chosen = random.random(len(cells)) < share
        return [value(cell) if one else cell for one, cell in zip(chosen, cells, strict=True)]

    return change


def _foreign(random: numpy.random.Generator, cells: list[Any]) -> list[Any]:
    others = _texts(random, len(cells), _WORDS)
    chosen = random.random(len(cells)) < 0.15
    return [other if one else cell for one, other, cell in zip(chosen, others, cells, strict=True)]


PLANTS: dict[str, Plant] = {
    NOTHING: lambda _, cells: cells,
    "numbers higher by 0.1 of their deviation": _changed("normal", lambda _, cells: [cell + 0.1 for cell in cells]),
    "numbers higher by 0.4 of their deviation": _changed("normal", lambda _, cells: [cell + 0.4 for cell in cells]),
    "numbers in another unit": _changed("skewed", lambda _, cells: [2.54 * cell for cell in cells]),
    "a tenth more is missing": _changed("at times missing", _some(0.1, lambda _: None)),
    "a tenth is of a kind that is new": _changed("kinds", _some(0.1, lambda _: "violet")),
    "a quarter has become another kind": _changed("kinds", _some(0.25, lambda _: "blue")),
    "15% of the texts are in other words": _changed("text", _foreign),
}


def monitored(random: numpy.random.Generator, rows: int, plant: Plant) -> tuple[ColumnDrift, ...]:
    before, now = drawn(random, HOLDOUT_ROWS), plant(random, drawn(random, rows))
    return judged([measured(one, before[one.name], now[one.name], RULES) for one in COLUMNS], RULES)


def simulated(planted: str, rows: int, windows: int) -> Line:
    """The same windows each time, each beside a hold-out of its own."""
    sure = drifted = 0
    for seed in numpy.random.SeedSequence([rows, len(planted)]).spawn(windows):
        found = monitored(numpy.random.default_rng(seed), rows, PLANTS[planted])
        sure += any(test.adjusted_p_value <= ERRORS for column in found for test in column.tests)
        drifted += any(column.verdict is Drift.DRIFTED for column in found)
    return Line(planted, rows, windows, sure, drifted)


def table(lines: Iterable[Line]) -> str:
    rows = (
        f"| {one.planted} | {one.rows:,} | {one.windows:,} | {one.sure / one.windows:.1%} | "
        f"{one.drifted / one.windows:.1%} |"
        for one in lines
    )
    return "\n".join(["| planted | rows | windows | sure | drifted |", "|---|--:|--:|--:|--:|", *rows, ""])


def with_table(page: str, text: str) -> str:
    return _TABLE.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)


def plan(windows: int, power_windows: int) -> Iterator[tuple[str, int, int]]:
    for planted in PLANTS:
        for rows in ROWS:
            yield planted, rows, windows if planted == NOTHING else power_windows


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    with ProcessPoolExecutor() as pool:
        lines = list(pool.map(simulated, *zip(*plan(options.windows, options.power_windows), strict=True)))
    sys.stdout.write(table(lines))
    if options.write:
        PAGE.write_text(with_table(PAGE.read_text(), table(lines)))
    return int(any(lies(one) for one in lines if one.planted == NOTHING))


def lies(line: Line) -> bool:
    """Sure in more windows than errors are allowed for, by three standard deviations of their count."""
    return line.sure > line.windows * ERRORS + 3 * sqrt(line.windows * ERRORS * (1 - ERRORS))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/monitor-honesty",
        description="Simulates windows of production beside a hold-out, and prints in how many of them monitor is sure"
        " of a difference, and in how many a column drifted. Exit 1 when it is sure in more than"
        f" {100 * ERRORS:.0f} % of the windows in which nothing was planted.",
    )
    number = partial(parser.add_argument, type=int)
    number("--windows", default=2000, help="in which nothing is planted, of each number of rows (%(default)s)")
    number("--power-windows", default=100, help="of each other line of the table (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/monitoring.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
