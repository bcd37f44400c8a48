"""Where a regression errs: residuals, and errors by the size of the target."""

import numpy

from services.delivery.reports import words
from services.delivery.reports.arrays import numbers
from services.delivery.reports.drawing import COLORS, Canvas, Plot
from services.delivery.reports.evidence import Evidence
from services.delivery.reports.figures.legend import legend

_POINTS = 300
_GROUPS = 12


def residuals(evidence: Evidence) -> Plot | None:
    """Of the candidate, as points of some rows and as median and middle 80 % of all."""
    if evidence.candidate is None:
        return None
    predicted = numbers(evidence.candidate)
    missed = numpy.asarray(evidence.actual, dtype=float) - predicted
    order = numpy.argsort(predicted, kind="stable")
    some = order[numpy.linspace(0, len(order) - 1, min(_POINTS, len(order))).astype(int)]
    groups = numpy.array_split(order, min(_GROUPS, len(order)))
    at = [float(numpy.median(predicted[group])) for group in groups]
    low, middle, high = (numpy.array([numpy.quantile(missed[group], q) for group in groups]) for q in (0.1, 0.5, 0.9))
    canvas = Canvas(240, left=58)
    canvas.axes.plot(predicted[some], missed[some], "o", color=COLORS["muted"], markersize=2.5, alpha=0.5)
    canvas.axes.fill_between(at, low, high, color=COLORS["candidate"], alpha=0.25, linewidth=0)
    canvas.axes.plot(at, middle, color=COLORS["candidate"])
    canvas.axes.axhline(0, color=COLORS["ink"], linewidth=1)
    edges = numpy.quantile(missed, (0.005, 0.995))
    canvas.axes.set(ylim=tuple(edges * 1.1) if edges[1] > edges[0] else None)
    canvas.axes.set(xlabel=f"predicted {in_unit(evidence)}", ylabel="actual less predicted")
    _plain_ticks(canvas)
    return canvas.plot(
        "Residuals",
        f"Line and band: median and middle 80% of all rows. Points: {len(some):,} of {words.count(len(order), 'row')}; "
        "the furthest 1% are beyond the edges.",
    )


def errors_by_target(evidence: Evidence) -> Plot | None:
    """Mean absolute error of both in groups of equally many rows."""
    actual = numpy.asarray(evidence.actual, dtype=float)
    groups = numpy.array_split(numpy.argsort(actual, kind="stable"), min(_GROUPS, len(actual)))
    at = [float(actual[group].mean()) for group in groups]
    canvas = Canvas(240, left=58)
    for name, answers in (("live", evidence.live), ("candidate", evidence.candidate)):
        if answers is not None:
            errors = numpy.abs(actual - numbers(answers))
            averages = [float(errors[group].mean()) for group in groups]
            canvas.axes.plot(at, averages, "o-", color=COLORS[name], markersize=4, label=name)
    canvas.axes.set_ylim(bottom=0)
    canvas.axes.set(xlabel=f"actual {in_unit(evidence)}", ylabel="mean absolute error")
    _plain_ticks(canvas)
    legend(canvas, evidence, "upper left")
    return canvas.plot(
        "Errors by size", f"{len(groups)} groups of equally many rows, from the smallest targets to the largest."
    )


def in_unit(evidence: Evidence) -> str:
    return f"{words.short(evidence.target, 24)}, {evidence.unit}" if evidence.unit else words.short(evidence.target, 30)


def _plain_ticks(canvas: Canvas) -> None:
    canvas.axes.locator_params(nbins=5)
    for axis in (canvas.axes.xaxis, canvas.axes.yaxis):
        axis.set_major_formatter(lambda value, _: words.tick(value))
