"""`benchmarks/gate-honesty`: how often compare promotes a model that is worse by exactly the margin, and how many rows
it takes to promote one that is not: simulated on pairs of models whose true difference is known."""

import argparse
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy

from benchmarks.simulated_pairs import KINDS, Holdout, Kind, holdouts
from services.contract.checkout import ROOT
from services.contract.gates import Margin
from services.contract.task import BETTER_ABOVE
from services.delivery.statistics.intervals import Group, paired

PAGE, PLOT = ROOT / "docs" / "gates.md", ROOT / "docs" / "gate-honesty.svg"
MARGIN = Margin(relative=0.1)
CONFIDENCE, RESAMPLES = 0.95, 1000
MOST_PROMOTED = 0.05
# The candidate's true error, as the share by which it is above the live one's.
AT_THE_MARGIN, AS_GOOD, BETTER = 0.1, 0.0, -0.1
_NAMES = {AT_THE_MARGIN: "worse by the margin", AS_GOOD: "as good", BETTER: "better by the margin"}
_FEW_ROWS, _ROWS = 300, (300, 1000, 4000)
_TABLE = re.compile(r"(<!-- table: gate-honesty, .* -->\n)(?:.*\n)*?(<!-- end of table -->\n)")


@dataclass(frozen=True)
class Cell:
    """Of so many `pairs` on hold-outs of so many rows, how many candidates were promoted."""

    metric: str
    rows: int
    worse: float
    pairs: int
    promoted: int

    @property
    def share(self) -> float:
        return self.promoted / self.pairs


def simulated(kind: Kind, rows: int, worse: float, pairs: int) -> Cell:
    promoted = sum(is_promoted(kind, one) for one in holdouts(kind, pairs, rows, worse))
    return Cell(kind.metric, rows, worse, pairs, promoted)


def is_promoted(kind: Kind, holdout: Holdout) -> bool:
    """As compare decides: the whole interval is above what is allowed."""
    everyone = [Group(None, numpy.ones(len(holdout.actual), dtype=bool))]
    pair = holdout.actual, holdout.candidate, holdout.live
    (found,) = paired([kind.metric], kind.task, *pair, everyone, CONFIDENCE, RESAMPLES)
    error = 1 - found.live if kind.metric in BETTER_ABOVE else found.live
    return found.low >= -MARGIN.of(error)


def plan(pairs: int, power_pairs: int) -> Iterator[tuple[Kind, int, float, int]]:
    for kind in KINDS:
        yield kind, _FEW_ROWS, AT_THE_MARGIN, pairs
        for worse in (AS_GOOD, BETTER):
            yield from ((kind, rows, worse, power_pairs) for rows in _ROWS)


def table(cells: Iterable[Cell]) -> str:
    rows = (
        f"| `{cell.metric}` | {_NAMES[cell.worse]} | {cell.rows:,} | {cell.pairs:,} | {cell.share:.1%} |"
        for cell in cells
    )
    return "\n".join(["| metric | candidate | rows | pairs | promoted |", "|---|---|--:|--:|--:|", *rows, ""])


def with_table(page: str, text: str) -> str:
    return _TABLE.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Shares of promotion against rows, of candidates that should be promoted."""
    import matplotlib.pyplot as pyplot  # takes longer than a small simulation

    pyplot.rcParams["svg.hashsalt"] = path.name
    figure, plots = pyplot.subplots(1, len(KINDS), figsize=(11, 3.6), sharey=True, layout="constrained")
    for axes, kind in zip(plots, KINDS, strict=True):
        for worse in (AS_GOOD, BETTER):
            points = [(cell.rows, cell.share) for cell in cells if (cell.metric, cell.worse) == (kind.metric, worse)]
            axes.plot(*zip(*points, strict=True), marker="o", label=_NAMES[worse])
        axes.axhline(MOST_PROMOTED, color="black", linestyle=":", label="most of those that are worse by the margin")
        axes.set(title=kind.metric, xlabel="rows of the hold-out", xscale="log", ylim=(0, 1.02))
        axes.minorticks_off()
        axes.set_xticks(_ROWS, map(str, _ROWS))
    plots[0].set_ylabel("share promoted")
    plots[0].legend(fontsize=8)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    path.write_text("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()) + "\n")


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    with ProcessPoolExecutor() as pool:
        cells = list(pool.map(simulated, *zip(*plan(options.pairs, options.power_pairs), strict=True)))
    sys.stdout.write(table(cells))
    if options.write:
        PAGE.write_text(with_table(PAGE.read_text(), table(cells)))
        draw(cells, PLOT)
    return int(any(cell.share > MOST_PROMOTED for cell in cells if cell.worse == AT_THE_MARGIN))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/gate-honesty",
        description="Simulates pairs of models whose true difference is known, and prints how many candidates compare"
        f" promotes. Exit 1 when it promotes more than {100 * MOST_PROMOTED:g} %% of those that are worse by exactly"
        " the margin.",
    )
    parser.add_argument("--pairs", type=int, default=4000, help="of each metric, worse by the margin (%(default)s)")
    parser.add_argument("--power-pairs", type=int, default=150, help="of each other line of the table (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write table and plot into docs/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
