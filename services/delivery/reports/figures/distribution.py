"""How the answers are spread: of candidate and live, or of the candidate in rows of either class."""

from collections.abc import Iterator

import numpy

from services.delivery.reports import words
from services.delivery.reports.arrays import numbers
from services.delivery.reports.drawing import COLORS, Canvas, Plot
from services.delivery.reports.evidence import Evidence
from services.delivery.reports.figures.regression import in_unit

_BINS = 30


def distribution(evidence: Evidence) -> Plot | None:
    groups = list(_groups(evidence))
    if not groups:
        return None
    canvas = Canvas(220)
    low, high = _range(evidence, [values for _, _, values in groups])
    edges = numpy.linspace(low, high, _BINS + 1)
    for place, (name, color, values) in enumerate(groups):
        # The first as an area, so that two lines are not taken for one.
        area = {"fill": True, "alpha": 0.3} if place == 0 and len(groups) > 1 else {"linewidth": 2}
        shares = numpy.histogram(numpy.clip(values, low, high), edges)[0] / max(len(values), 1)
        canvas.axes.stairs(100 * shares, edges, color=color, label=name, **area)
    canvas.axes.set(ylabel="% of rows", xlabel=_axis(evidence))
    canvas.axes.set_ylim(bottom=0)
    canvas.axes.locator_params(nbins=5)
    for axis in (canvas.axes.xaxis, canvas.axes.yaxis):
        axis.set_major_formatter(lambda value, _: words.tick(value))
    if len(groups) > 1:
        canvas.axes.legend(frameon=False, handlelength=1.4, borderaxespad=0.2)
    return canvas.plot("Distribution of the answers", _caption(evidence))


def _groups(evidence: Evidence) -> Iterator[tuple[str, str, numpy.ndarray]]:
    if evidence.candidate is None:
        return
    of_candidate = numbers(evidence.candidate)
    if evidence.live is not None:
        yield "live", COLORS["live"], numbers(evidence.live)
        yield "candidate", COLORS["candidate"], of_candidate
    elif evidence.task == "binary-classification":
        actual = numpy.asarray(evidence.actual, dtype=float)
        yield f"{words.short(evidence.target, 12)} is 0", COLORS["muted"], of_candidate[actual == 0]
        yield f"{words.short(evidence.target, 12)} is 1", COLORS["candidate"], of_candidate[actual == 1]
    elif evidence.task == "regression":
        yield "actual", COLORS["muted"], numpy.asarray(evidence.actual, dtype=float)
        yield "predicted", COLORS["candidate"], of_candidate
    else:
        yield "candidate", COLORS["candidate"], of_candidate


def _range(evidence: Evidence, values: list[numpy.ndarray]) -> tuple[float, float]:
    if evidence.task != "regression":
        return 0.0, 1.0
    low, high = numpy.quantile(numpy.concatenate(values), (0.005, 0.995))
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def _axis(evidence: Evidence) -> str:
    if evidence.task == "regression":
        return in_unit(evidence)
    if evidence.task == "classification":
        return "probability of the answered label"
    return f"probability that {words.short(evidence.target, 20)} is 1"


def _caption(evidence: Evidence) -> str:
    if evidence.task == "regression":
        return "Share of rows in 30 bins of equal width; the furthest 1% count to the outermost bins."
    return "Share of rows in 30 bins of equal width."
