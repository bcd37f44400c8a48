"""validation.html: the candidate alone."""

from dataclasses import dataclass
from functools import partial

import numpy

from services.contract.prediction import Prediction, number_of
from services.contract.record import Cell
from services.contract.validation import Validation
from services.contract.verdict import LATENCY, Check, Estimate, Verdict
from services.delivery.reports import words
from services.delivery.reports.arrays import labels, numbers
from services.delivery.reports.drawing import Plot, drawn
from services.delivery.reports.evidence import Answers, Evidence
from services.delivery.reports.figures import classes, curves, distribution, intervals, regression
from services.delivery.reports.view import Reason, Tile, View, stopping, switched_off, worst_first

_FURTHEST = 5
_DRAWN = {
    "regression": (regression.residuals, distribution.distribution),
    "classification": (classes.confusion, curves.calibration, distribution.distribution),
    "binary-classification": (
        curves.calibration, curves.roc, curves.precision_recall, distribution.distribution, classes.confusion,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Miss:
    """An answer that is far from the target."""

    actual: Cell
    answered: str
    inputs: dict[str, Cell]


@dataclass(frozen=True, kw_only=True)
class ValidationView(View):
    misses: tuple[Miss, ...]


def validation_view(validation: Validation, evidence: Evidence | None) -> ValidationView:
    return ValidationView(
        title=f"Validation of {validation.model}, revision {validation.revision}",
        verdict=validation.verdict,
        headline=_headline(validation),
        decided=stopping(validation.checks) or _closest(validation),
        accepted=validation.accepted,
        warnings=validation.warnings,
        off=switched_off(validation.checks),
        tiles=tuple(_tiles(validation, evidence.unit if evidence else "")),
        plots=_plots(validation, evidence),
        facts=_facts(validation),
        checks=worst_first(validation.checks),
        misses=_misses(evidence, evidence.candidate) if evidence and evidence.candidate else (),
    )


def _headline(validation: Validation) -> str:
    counted = [one for one in validation.checks if one.off is None]
    stopped = sum(one.stops for one in counted)
    of = f"{stopped} of {words.count(len(counted), 'check')}"
    if validation.verdict is Verdict.PASS:
        rows = words.count(validation.holdout.rows, "hold-out row")
        return f"The model does what model.yaml asks: {words.all_of(len(counted), 'check')} on {rows}."
    if validation.verdict is Verdict.FAIL:
        return f"The model stops here: {of} did not pass."
    return f"It could not be decided whether the model is good enough: {of} did not pass, none failed."


def _closest(validation: Validation) -> tuple[Reason, ...]:
    """Of a pass: the bound that the interval is nearest to, for its size."""
    judged = [(one, one.estimate) for one in validation.checks if one.estimate and one.off is None]
    if not judged:
        return (Reason("Every check passed; those of the table below are all that was asked."),)
    check, estimate = min(judged, key=lambda pair: _spare(pair[1]))
    return (
        Reason(
            f"{_interval(estimate)}; expected {check.expected}", f"closest to its bound, {check.name}", check.verdict
        ),
    )


def _spare(estimate: Estimate) -> float:
    """As a share of the bound."""
    spares = [(estimate.low - estimate.min) / (abs(estimate.min) or 1.0)] if estimate.min is not None else []
    spares += [(estimate.max - estimate.high) / (abs(estimate.max) or 1.0)] if estimate.max is not None else []
    return min(spares, default=float("inf"))


def _interval(estimate: Estimate) -> str:
    interval = (
        f"{words.number(estimate.low)} to {words.number(estimate.high)} with {estimate.confidence:.0%} confidence"
    )
    return f"found {words.number(estimate.value)}, {interval}"


def _tiles(validation: Validation, unit: str) -> list[Tile]:
    judged = {one.estimate.metric: one for one in validation.checks if one.estimate and one.gate != intervals.SLICES}
    bounded = {one.name: one for one in validation.checks if one.name in validation.metrics}
    found = [
        _metric_tile(name, value, judged.get(name) or bounded.get(name), unit)
        for name, value in validation.metrics.items()
    ]
    if "p99" in validation.latency_ms:
        found.append(_latency_tile(validation))
    return found


def _metric_tile(name: str, value: float, check: Check | None, unit: str) -> Tile:
    of_unit = f" {unit}" if unit and name in words.IN_UNITS else ""
    lines = ["no bound" if check is None else f"bound {check.expected}"]
    if check and check.estimate:
        one = check.estimate
        lines.insert(0, f"{one.confidence:.0%} interval {words.number(one.low)} to {words.number(one.high)}")
    verdict = check.verdict if check and check.off is None else None
    return Tile(words.metric(name), f"{words.number(value)}{of_unit}", tuple(lines), verdict)


def _latency_tile(validation: Validation) -> Tile:
    p50, p99 = validation.latency_ms.get("p50"), validation.latency_ms["p99"]
    check = next((one for one in validation.checks if one.name == LATENCY), None)
    lines = [f"median {words.number(p50)} ms"] if p50 is not None else []
    lines += [f"bound {check.expected}"] if check else []
    verdict = check.verdict if check and check.off is None else None
    return Tile("a row's time, 99th percentile", f"{words.number(p99)} ms", tuple(lines), verdict)


def _plots(validation: Validation, evidence: Evidence | None) -> tuple[Plot, ...]:
    unit = evidence.unit if evidence else ""
    of_records = drawn([partial(intervals.bounds, validation.checks, unit), *intervals.slices(validation.checks)])
    if evidence is None or evidence.candidate is None:
        return of_records
    return of_records + drawn([partial(one, evidence) for one in _DRAWN[evidence.task]])


def _misses(evidence: Evidence, answers: Answers) -> tuple[Miss, ...]:
    """The furthest answers: largest errors, or wrong labels that the model was surest of."""
    far = _distance(evidence, answers)
    order = [int(one) for one in numpy.argsort(-far, kind="stable")[:_FURTHEST] if far[one] > 0]
    return tuple(
        Miss(
            evidence.actual[one],
            words.answer(number_of(answers[one])) if evidence.task != "classification" else _label(answers[one]),
            dict(zip(evidence.columns, evidence.rows[one], strict=True)),
        )
        for one in order
    )


def _distance(evidence: Evidence, answers: Answers) -> numpy.ndarray:
    if evidence.task == "classification":
        wrong = labels(answers) != numpy.array([str(one) for one in evidence.actual])
        return numpy.asarray(numpy.where(wrong, numbers(answers), 0.0))
    return numpy.asarray(numpy.abs(numpy.asarray(evidence.actual, dtype=float) - numbers(answers)))


def _label(answer: Prediction) -> str:
    return f"{labels([answer])[0]} ({words.number(number_of(answer))})"


def _facts(validation: Validation) -> tuple[tuple[str, str], ...]:
    return (
        ("hold-out", f"{words.count(validation.holdout.rows, 'row')} of {validation.holdout.source}"),
        ("SHA-256 of the hold-out", validation.holdout.sha256),
        ("digest of the model", validation.candidate),
    )
