"""Whether the model is good enough on each declared slice: harm that is sure stops it, doubt does not.

All slices together are judged with `gates.confidence`: with k of them each interval has that of 1 - (1 - confidence)/k
(Bonferroni), so that many slices fail a model that is good on all of them no more often than one would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.contract.gates import SliceGate, Threshold
from services.contract.model_config import ModelConfig
from services.contract.verdict import Check, Estimate, Verdict
from services.delivery.gates.bounds import expected, held_against, in_words, judged, within
from services.delivery.gates.checks import check, undecided
from services.delivery.statistics.groups import Slices
from services.delivery.statistics.intervals import Group

GATE = "slices"
# By name of the group and metric.
Found = Mapping[str | None, Mapping[str, Estimate]]
_NAMED = 5


def to_be_judged(slices: Sequence[Slices], config: ModelConfig) -> list[Slices]:
    """Their groups, each with the metrics that it has bounds on, and the confidence that leaves `gates.confidence` for
    all that is looked at."""
    looks = sum(len(one.groups) * len(slice_bounds(one.column, config)) for one in slices)
    confidence = 1 - (1 - config.gates.confidence) / max(looks, 1)
    return [
        replace(one, groups=tuple(replace(group, confidence=confidence, metrics=metrics) for group in one.groups))
        for one in slices
        for metrics in [tuple(slice_bounds(one.column, config))]
    ]


def slice_bounds(column: str, config: ModelConfig) -> Mapping[str, Threshold]:
    """Its own, or those of all rows."""
    return config.gates.slices[column].thresholds or config.gates.thresholds


def slice_checks(slices: Slices, found: Found, config: ModelConfig) -> list[Check]:
    """Of one column; `found` by name of the slice and metric. First which slices there are, then one for each and
    metric."""
    bounds = slice_bounds(slices.column, config)
    judged_slices = [
        _check(group, metric, bounds[metric], found[group.name].get(metric))
        for group in slices.groups
        for metric in bounds
    ]
    return [_which(slices, config.gates.slices[slices.column]), *judged_slices]


def _which(slices: Slices, gate: SliceGate) -> Check:
    """None with enough rows decides nothing."""
    wanted = f"slices of at least {gate.min_rows} rows"
    few = [f"{name} ({rows})" for name, rows in slices.small.items()]
    more = f" and {len(few) - _NAMED} others" if len(few) > _NAMED else ""
    told = f"; too few rows to be judged: {', '.join(few[:_NAMED])}{more}" if few else ""
    words = f"{len(slices.groups)} judged{told}"
    if not slices.groups:
        return undecided(GATE, wanted, words, slices.column)
    return check(GATE, True, wanted, words, slices.column)


def _check(group: Group, metric: str, bounds: Threshold, found: Estimate | None) -> Check:
    name = f"{group.name}: {metric}"
    if found is None:
        return undecided(GATE, expected(bounds), "no value on these rows: bound another metric", name)
    failed = judged(bounds, found) is Verdict.FAIL
    doubt = "" if failed or within(bounds, found.value) else "; not surely beyond the bound"
    return Check(
        name=name,
        gate=GATE,
        verdict=Verdict.FAIL if failed else Verdict.PASS,
        expected=f"not surely beyond {expected(bounds)}",
        found=f"{in_words(found)}{doubt}, {found.rows:,} rows",
        estimate=held_against(bounds, found),
    )
