"""The plot of `benchmarks/serving`: requests in a second of each server, a panel a model and number of rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.serving_figures import Cell, Result


def draw(results: Mapping[str, Sequence[Result]], rows: Sequence[int], connections: Sequence[int], path: Path) -> None:
    import matplotlib.pyplot as pyplot  # takes longer than a run of one server

    pyplot.rcParams["svg.hashsalt"] = path.name
    size = (4.2 * len(rows), 0.8 + 2.6 * len(results))
    figure, panels = pyplot.subplots(len(results), len(rows), figsize=size, squeeze=False, layout="constrained")
    for line, (model, of_model) in zip(panels, results.items(), strict=True):
        for axes, number in zip(line, rows, strict=True):
            cell = Cell(number, connections[-1])
            found = [(one.server, one.median(cell, lambda sample: sample.rate)) for one in of_model if not one.reason]
            names, rates = zip(*reversed(found), strict=True)
            axes.barh(
                names, rates, color=["tab:orange" if name == of_model[0].server else "tab:gray" for name in names]
            )
            axes.set_xscale("log")
            axes.set_title(f"{model}, rows a request: {number:,}", fontsize=9)
            axes.set_xlabel(f"requests/s, {cell.connections} connections", fontsize=8)
            axes.tick_params(labelsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
