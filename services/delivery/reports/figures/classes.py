"""Which labels are confused, and which are found more or less often than before."""

import numpy

from services.delivery.reports import words
from services.delivery.reports.arrays import labels
from services.delivery.reports.drawing import COLORS, TEXT, Canvas, Plot
from services.delivery.reports.evidence import Answers, Evidence

_MOST_CLASSES = 8
_MOST_BARS = 12
_BAR = 22
_LABELS = 130


def confusion(evidence: Evidence) -> Plot | None:
    """A matrix where the classes are few, else the pairs that are confused most often."""
    if evidence.candidate is None:
        return None
    actual = numpy.array([str(one) for one in evidence.actual])
    answered = _answered(evidence, evidence.candidate)
    names = numpy.unique(numpy.concatenate((actual, answered)))
    return _matrix(names, actual, answered) if len(names) <= _MOST_CLASSES else _pairs(actual, answered)


def _answered(evidence: Evidence, answers: Answers) -> numpy.ndarray:
    """Labels as the targets are written: 1, and not 1.0."""
    found = labels(answers)
    return found if evidence.task == "classification" else numpy.char.partition(found, ".")[:, 0]


def _matrix(names: numpy.ndarray, actual: numpy.ndarray, answered: numpy.ndarray) -> Plot:
    places = {name: place for place, name in enumerate(names)}
    counts = numpy.zeros((len(names), len(names)), dtype=int)
    numpy.add.at(counts, ([places[one] for one in actual], [places[one] for one in answered]), 1)
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(30, min(72, 220 // len(names)))
    bottom = 44 if side > 50 else 80
    canvas = Canvas(
        side * len(names) + bottom + 4, left=96, right=max(8, 336 - 96 - side * len(names)), top=4, bottom=bottom
    )
    axes = canvas.axes
    axes.set(xlim=(0, len(names)), ylim=(len(names), 0), xlabel="answered", ylabel="actual")
    axes.tick_params(length=0)
    middles = numpy.arange(len(names)) + 0.5
    axes.set_xticks(middles, [words.short(name, 7) for name in names], rotation=0 if side > 50 else 90)
    axes.set_yticks(middles, [words.short(name, 9) for name in names])
    for (row, column), share in numpy.ndenumerate(shares):
        color = COLORS["candidate"] if row == column else COLORS["fail"]
        axes.fill(
            (column, column + 1, column + 1, column), (row, row, row + 1, row + 1), color=color, alpha=0.5 * share
        )
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{100 * share:.0f}%" if side > 36 else f"{100 * share:.0f}",
            ha="center",
            va="center",
            color=COLORS["ink"],
        )
    return canvas.plot("Confusion matrix", "Of the rows of each label, how many percent were answered with which.")


def _pairs(actual: numpy.ndarray, answered: numpy.ndarray) -> Plot | None:
    wrong = actual != answered
    pairs, counts = numpy.unique(
        [f"{one} → {other}" for one, other in zip(actual[wrong], answered[wrong], strict=True)], return_counts=True
    )
    if not len(pairs):
        return None
    first = numpy.argsort(-counts, kind="stable")[:_MOST_BARS]
    canvas = Canvas(_BAR * len(first) + 48, left=_LABELS, right=40, top=4, bottom=40)
    places = numpy.arange(len(first))
    canvas.axes.barh(places, counts[first], height=0.62, color=COLORS["fail"], alpha=0.75)
    canvas.axes.set(ylim=(len(first) - 0.4, -0.6), xlabel="rows")
    canvas.axes.set_yticks(places, [words.short(pairs[one], 18) for one in first])
    canvas.axes.tick_params(axis="y", length=0)
    canvas.axes.locator_params(axis="x", nbins=4)
    for place, one in zip(places, first, strict=True):
        canvas.axes.text(
            counts[one], float(place), f" {counts[one]:,}", va="center", fontsize=TEXT, color=COLORS["ink"]
        )
    return canvas.plot("Most confused labels", "Actual label → answered label, and in how many rows.")


def recall_changes(evidence: Evidence) -> Plot | None:
    """The labels whose recall moved most."""
    if evidence.candidate is None or evidence.live is None:
        return None
    actual = numpy.array([str(one) for one in evidence.actual])
    names, places = numpy.unique(actual, return_inverse=True)
    rows = numpy.bincount(places)
    before, after = (
        numpy.bincount(places, weights=labels(answers) == actual) / rows
        for answers in (evidence.live, evidence.candidate)
    )
    first = numpy.argsort(-numpy.abs(after - before), kind="stable")[:_MOST_BARS]
    canvas = Canvas(_BAR * len(first) + 70, left=_LABELS, top=26, bottom=40)
    at = numpy.arange(len(first))
    canvas.axes.hlines(at, before[first], after[first], color=COLORS["muted"], linewidth=1.5)
    canvas.axes.plot(before[first], at, "o", color=COLORS["live"], markersize=7, label="live")
    canvas.axes.plot(after[first], at, "o", color=COLORS["candidate"], markersize=7, label="candidate")
    canvas.axes.set(ylim=(len(first) - 0.4, -0.6), xlabel="recall")
    canvas.axes.set_yticks(at, [words.short(f"{names[one]} ({rows[one]:,})", 18) for one in first])
    canvas.axes.tick_params(axis="y", length=0)
    canvas.axes.locator_params(axis="x", nbins=4)
    canvas.axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, handlelength=1, borderaxespad=0)
    return canvas.plot("Recall by label", "The labels whose recall changed most, with the number of their rows.")
