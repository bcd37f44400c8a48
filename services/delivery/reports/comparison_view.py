"""comparison.html: the candidate beside the model that answers, on the same rows."""

from dataclasses import dataclass
from functools import partial

from services.contract.comparison import Change, Comparison, Cost, Difference, Flips, Shift, SignificanceTest
from services.contract.verdict import Verdict
from services.delivery.reports import words
from services.delivery.reports.drawing import Plot, drawn
from services.delivery.reports.evidence import Evidence
from services.delivery.reports.figures import classes, curves, distribution, intervals, regression
from services.delivery.reports.view import Reason, Tile, View, stopping, switched_off, worst_first

_DRAWN = {
    "regression": (regression.errors_by_target, distribution.distribution),
    "classification": (classes.recall_changes, curves.calibration, distribution.distribution),
    "binary-classification": (curves.calibration, curves.roc, curves.precision_recall, distribution.distribution),
}


@dataclass(frozen=True, kw_only=True)
class ComparisonView(View):
    differences: tuple[Difference, ...]
    test: SignificanceTest | None
    shift: Shift | None
    flips: Flips | None
    flips_words: str
    costs: tuple[Cost, ...]
    changes: tuple[Change, ...]


def comparison_view(comparison: Comparison, evidence: Evidence | None) -> ComparisonView:
    return ComparisonView(
        title=f"Comparison of {comparison.model}, revision {comparison.revision}, with {_live(comparison)}",
        verdict=comparison.verdict,
        headline=_headline(comparison),
        decided=(Reason(f"{comparison.summary[:1].upper()}{comparison.summary[1:]}"), *_stopping(comparison)),
        accepted=comparison.accepted,
        warnings=comparison.warnings,
        off=switched_off(comparison.checks),
        tiles=tuple(_tiles(comparison, evidence.unit if evidence else "")),
        plots=_plots(comparison, evidence),
        facts=_facts(comparison),
        checks=worst_first(comparison.checks),
        differences=comparison.differences,
        test=comparison.test,
        shift=comparison.shift,
        flips=comparison.flips,
        flips_words=_flips(comparison.flips),
        costs=comparison.costs,
        changes=comparison.changes,
    )


def _live(comparison: Comparison) -> str:
    return f"live {comparison.live.revision}" if comparison.live else "nothing live"


def _headline(comparison: Comparison) -> str:
    if comparison.verdict is Verdict.INCONCLUSIVE:
        return f"It could not be decided whether the model is good enough to replace {_live(comparison)}."
    if comparison.live is None:
        first = "It is the first model: nothing is live to compare it with."
        return first if comparison.verdict is Verdict.PASS else f"The model stops here. {first}"
    if comparison.verdict is Verdict.FAIL:
        return f"The model stops here: it is not good enough to replace {_live(comparison)}."
    better = comparison.interval is not None and comparison.interval[0] > 0
    how = "it is better" if better else "it is not worse by more than the margin"
    return f"The model can replace {_live(comparison)}: {how}."


def _stopping(comparison: Comparison) -> tuple[Reason, ...]:
    """Checks that stop it; where there are none, slices and metrics that do."""
    if found := stopping(comparison.checks):
        return found
    missed = [one for one in comparison.differences if one.verdict is not Verdict.PASS]
    if comparison.verdict is Verdict.PASS or not missed:
        return ()
    return tuple(
        Reason(
            f"better by {words.signed(one.low)} to {words.signed(one.high)} on {words.count(one.rows, 'row')}, "
            f"at least {words.signed(-one.allowed)} is required",
            words.metric(one.metric) + (f", {one.slice}" if one.slice is not None else ""),
            one.verdict,
        )
        for one in missed[:5]
    )


def _tiles(comparison: Comparison, unit: str) -> list[Tile]:
    metric = words.metric(comparison.metric)
    of_unit = f" {unit}" if unit and comparison.metric in words.IN_UNITS else ""
    value = "no answer" if comparison.candidate_value is None else words.number(comparison.candidate_value) + of_unit
    tiles = [Tile(f"candidate, {metric}", value, (comparison.revision,))]
    if comparison.live and comparison.live_value is not None:
        tiles.append(
            Tile(f"live, {metric}", words.number(comparison.live_value) + of_unit, (comparison.live.revision,))
        )
    if comparison.difference is not None and comparison.interval:
        tiles.append(_difference_tile(comparison, of_unit))
    if comparison.flips:
        flips = comparison.flips
        of_rows = (f"{words.share(flips.negative, flips.rows)} of rows", f"the other way: {flips.positive:,}")
        tiles.append(Tile("rows right before, wrong now", f"{flips.negative:,}", of_rows))
    return tiles


def _difference_tile(comparison: Comparison, of_unit: str) -> Tile:
    low, high = comparison.interval or (0.0, 0.0)
    lines = [f"{comparison.confidence:.0%} interval {words.signed(low)} to {words.signed(high)}"]
    if comparison.allowed is not None:
        lines.append(f"at least {words.signed(-comparison.allowed)} is required")
    return Tile("better by", words.signed(comparison.difference or 0.0) + of_unit, tuple(lines), comparison.verdict)


def _plots(comparison: Comparison, evidence: Evidence | None) -> tuple[Plot, ...]:
    of_records = drawn(
        [
            partial(intervals.difference, comparison),
            partial(intervals.differences, comparison.differences, comparison.metric),
        ]
    )
    if evidence is None or evidence.candidate is None:
        return of_records
    return of_records + drawn([partial(one, evidence) for one in _DRAWN[evidence.task]])


def _flips(flips: Flips | None) -> str:
    if flips is None:
        return ""
    told = (
        f"Of {words.count(flips.rows, 'row')}, live had {flips.negative:,} right that the candidate has wrong; "
        f"{flips.positive:,} are the other way round. Right means {flips.right}."
    )
    return f"{told} The worst of them:" if flips.worst else told


def _facts(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    margin = comparison.margin
    allowed = f"{margin.relative:.3g} of the live error" if margin.relative is not None else f"{margin.absolute:g}"
    facts = [
        ("hold-out", f"{words.count(comparison.holdout.rows, 'row')} of {comparison.holdout.source}"),
        ("SHA-256 of the hold-out", comparison.holdout.sha256),
        ("digest of the candidate", comparison.candidate),
        ("margin of model.yaml", allowed),
    ]
    if comparison.live:
        facts.append(("live release", comparison.live.release))
    return tuple(facts)
