"""What monitor concludes of a window: every column and the answers beside the hold-out, and the metric where labels
have come."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from services.contract.cells import columns_of
from services.contract.errors import Refused
from services.contract.monitoring import LABEL, SCORE, ColumnDrift, Drift, LiveMetric, Monitoring
from services.contract.monitoring_rules import MonitoringRules
from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.record import Sha256
from services.contract.release import Column
from services.delivery.monitoring.columns import Measured, measured, of_recorded
from services.delivery.monitoring.gather import Gathered
from services.delivery.monitoring.judged import judged
from services.delivery.monitoring.live_metric import estimate, live_metric, promised_by
from services.delivery.monitoring.reference import Known

# Rows of one request are seldom strangers to each other, which all tests take them for.
_MANY_ROWS = 10
_REPEATED = 0.05


def monitored(known: Known, release: Sha256, found: Gathered) -> Monitoring:
    """Raises Refused where the window has no answer, or nothing is left to hold it against."""
    if not found.answers:
        raise Refused("expected answers of the release in the log, found none: look at another window or release")
    rules, manifest = known.config.monitoring, known.manifest
    scores, columns = _scores(known, found.answers), list(_columns(known, found.rows))
    every = judged([*scores, *columns], rules)
    metric = _metric(known, found)
    reference = known.reference
    few = min(len(found.answers), reference.rows) < rules.min_rows
    return Monitoring(
        model=manifest.model,
        revision=manifest.revision,
        release=release,
        run_id=manifest.candidate.run.run_id,
        verdict=_overall(every, metric, few),
        confidence=rules.confidence,
        min_rows=rules.min_rows,
        rows=len(found.answers),
        reference=reference,
        scores=every[: len(scores)],
        columns=every[len(scores) :],
        traffic=found.traffic,
        metric=metric,
        notes=tuple(_notes(known, found, rules)),
    )


def _overall(columns: Sequence[ColumnDrift], metric: LiveMetric | None, few: bool) -> Drift:
    """A column with too few values is named by itself: most windows of most models have one."""
    verdicts = {one.verdict for one in columns if one.counts} | ({metric.verdict} if metric else set())
    if Drift.DRIFTED in verdicts:
        return Drift.DRIFTED
    return Drift.TOO_FEW if few or (metric and metric.verdict is Drift.TOO_FEW) else Drift.STABLE


def _scores(known: Known, answers: Sequence[Prediction]) -> list[Measured]:
    """Numbers, the probability of a binary label; of many labels these and their probability."""
    rules, before = known.config.monitoring, known.answers
    labels = known.config.task == "classification"
    if before is not None:
        of_labels = [_measured(LABEL, "string", _labels(before), _labels(answers), rules)] if labels else []
        return [*of_labels, _measured(SCORE, "double", _numbers(before), _numbers(answers), rules)]
    if known.recorded is None:
        return []
    name, now = (LABEL, _labels(answers)) if labels else (SCORE, _numbers(answers))
    return [of_recorded(name, known.recorded, now, rules)]


def _measured(name: str, kind: str, before: Sequence[Any], now: Sequence[Any], rules: MonitoringRules) -> Measured:
    return measured(Column(name=name, type=kind), before, now, rules)


def _columns(known: Known, rows: Sequence[Sequence[Any]] | None) -> Iterator[Measured]:
    if not rows or not known.rows:
        return
    inputs = known.config.inputs
    for column, before, now in zip(inputs, columns_of(known.rows, inputs), columns_of(rows, inputs), strict=True):
        yield measured(column, before, now, known.config.monitoring)


def _metric(known: Known, found: Gathered) -> LiveMetric | None:
    if not found.labelled:
        return None
    promised = promised_by(known.manifest.validation, known.config.gates.compare.metric)
    if promised is None and known.holdout and known.answers:
        promised = estimate(known.config, known.answers, known.holdout.actual)
    return live_metric(known.config, promised, found.labelled, found.unmatched)


def _notes(known: Known, found: Gathered, rules: MonitoringRules) -> Iterator[str]:
    yield from known.notes
    if found.rows is None:
        yield "inputs are not compared, because the log keeps digests in their place"
    if found.others:
        yield f"{found.others:,} requests of the window were answered by another release and are left out"
    if (traffic := found.traffic).rows > _MANY_ROWS * traffic.requests:
        yield (
            f"{traffic.rows:,} rows came in {traffic.requests:,} requests: rows of one request are often alike, and "
            "then tests are surer than they should be"
        )
    if found.rows and len(found.rows) >= rules.min_rows:
        yield from _repeated(found.rows)
    if found.unmatched:
        yield f"{found.unmatched:,} labels are of no logged row of the window"


def _repeated(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    row, times = Counter(tuple(map(str, one)) for one in rows).most_common(1)[0]
    if times > _REPEATED * len(rows):
        yield f"{times / len(rows):.0%} of the rows are one and the same, which may be a probe: {', '.join(row)}"


def _labels(answers: Sequence[Prediction]) -> list[str]:
    return [str(one.label) if isinstance(one, Labelled) else str(one) for one in answers]


def _numbers(answers: Sequence[Prediction]) -> list[float]:
    return [number_of(one) for one in answers]
