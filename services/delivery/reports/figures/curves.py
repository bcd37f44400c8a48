"""How well probabilities rank and how far they can be believed: ROC, precision and recall, calibration."""

from collections.abc import Iterator

import numpy

from services.delivery.reports import words
from services.delivery.reports.arrays import labels, numbers
from services.delivery.reports.drawing import COLORS, Canvas, Plot
from services.delivery.reports.evidence import Evidence
from services.delivery.reports.figures.legend import legend

_POINTS = 120
_BINS = 10
_FEWEST = 10  # rows of a bin whose share says anything
_SIDE = 268
_TICKS = (0, 0.25, 0.5, 0.75, 1)


def roc(evidence: Evidence) -> Plot | None:
    canvas = _square("false positive rate", "true positive rate")
    canvas.axes.plot((0, 1), (0, 1), color=COLORS["muted"], linewidth=1, linestyle=":")
    for name, truth, score in _scored(evidence):
        hits, misses = ranked(truth, score)
        _curve(canvas, name, misses / max(misses[-1], 1), hits / max(hits[-1], 1))
    legend(canvas, evidence, "lower right")
    return canvas.plot("ROC curve", "Further to the upper left is better; the dotted line is chance.")


def precision_recall(evidence: Evidence) -> Plot | None:
    canvas = _square("recall", "precision")
    for name, truth, score in _scored(evidence):
        hits, misses = ranked(truth, score)
        hits, misses = hits[1:], misses[1:]
        _curve(canvas, name, hits / max(hits[-1], 1), hits / (hits + misses))
        canvas.axes.axhline(truth.mean(), color=COLORS["muted"], linewidth=1, linestyle=":")
    legend(canvas, evidence, "upper right")
    return canvas.plot("Precision and recall", "Further to the upper right is better; the dotted line is chance.")


def calibration(evidence: Evidence) -> Plot | None:
    canvas = _square("predicted probability", "share that came true")
    canvas.axes.plot((0, 1), (0, 1), color=COLORS["muted"], linewidth=1, linestyle=":")
    for name, truth, score in _scored(evidence):
        mean, seen = binned(truth, score)
        canvas.axes.plot(mean, seen, "o-", color=COLORS[name], markersize=5, label=name)
    legend(canvas, evidence, "upper left")
    return canvas.plot(
        "Calibration",
        f"On the dotted line, what is called 70% comes true in 70% of rows. Ten bins, without those of fewer than "
        f"{_FEWEST} rows.",
    )


def ranked(truth: numpy.ndarray, score: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """True and false positives from no row to all, at each different score; truth is 0 or 1, both of shape (rows,).

    Source: sklearn.metrics.roc_curve, whose import takes longer than the whole report.
    """
    order = numpy.argsort(-score, kind="stable")
    last = numpy.append(numpy.flatnonzero(numpy.diff(score[order])), len(score) - 1)
    hits = numpy.cumsum(truth[order])[last]
    return numpy.append(0, hits), numpy.append(0, last + 1 - hits)


def binned(truth: numpy.ndarray, score: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Mean probability and share of ones in bins of equal width, without those that hold few rows."""
    places = numpy.clip((score * _BINS).astype(int), 0, _BINS - 1)
    rows = numpy.bincount(places, minlength=_BINS)
    held = rows >= min(_FEWEST, int(numpy.max(rows)))
    sums = (numpy.bincount(places, weights=one, minlength=_BINS)[held] for one in (score, truth))
    mean, seen = (one / rows[held] for one in sums)
    return mean, seen


def _scored(evidence: Evidence) -> Iterator[tuple[str, numpy.ndarray, numpy.ndarray]]:
    """Whether answers came true, and their probabilities; live first, so that the candidate is drawn over it."""
    for name, answers in (("live", evidence.live), ("candidate", evidence.candidate)):
        if answers is None:
            continue
        if evidence.task == "binary-classification":
            yield name, numpy.asarray(evidence.actual, dtype=float), numbers(answers)
        else:
            right = labels(answers) == numpy.array([str(one) for one in evidence.actual])
            yield name, right.astype(float), numbers(answers)


def _square(x_label: str, y_label: str) -> Canvas:
    canvas = Canvas(_SIDE)
    canvas.axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=x_label, ylabel=y_label)
    canvas.axes.set_xticks(_TICKS, [words.tick(one) for one in _TICKS])
    canvas.axes.set_yticks(_TICKS[::2], [words.tick(one) for one in _TICKS[::2]])
    return canvas


def _curve(canvas: Canvas, name: str, x: numpy.ndarray, y: numpy.ndarray) -> None:
    some = numpy.unique(numpy.linspace(0, len(x) - 1, _POINTS).astype(int))
    canvas.axes.plot(x[some], y[some], color=COLORS[name], label=name)
