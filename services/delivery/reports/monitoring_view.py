"""monitoring.html: a window of production beside the hold-out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from services.contract.monitoring import ColumnDrift, Drift, LiveMetric, Monitoring
from services.contract.verdict import Verdict
from services.delivery.reports import words
from services.delivery.reports.drawing import Plot, drawn
from services.delivery.reports.figures import monitoring as figures
from services.delivery.reports.view import Tile

# The colors and marks of a gate's verdict.
TONES = {Drift.STABLE: Verdict.PASS, Drift.DRIFTED: Verdict.FAIL, Drift.TOO_FEW: Verdict.INCONCLUSIVE}
_MOST_DRAWN = 6
_WORST_FIRST = (Drift.DRIFTED, Drift.TOO_FEW, Drift.STABLE)


@dataclass(frozen=True)
class Reason:
    """What decided, and how it came out."""

    tone: Verdict
    word: str
    name: str
    words: str


@dataclass(frozen=True)
class Row:
    """A column in the table; numbers that there are none of are empty."""

    tone: Verdict
    word: str
    name: str
    kind: str
    rows: str
    missing: str
    unseen: str
    psi: str
    limit: str
    p_value: str
    words: str


@dataclass(frozen=True)
class MonitoringView:
    title: str
    tone: Verdict
    word: str
    headline: str
    decided: tuple[Reason, ...]
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    plots: tuple[Plot, ...]
    rows: tuple[Row, ...]
    chance: str
    facts: tuple[tuple[str, str], ...]


def monitoring_view(found: Monitoring) -> MonitoringView:
    return MonitoringView(
        title=f"Production of {found.model}, revision {found.revision}",
        tone=TONES[found.verdict],
        word=str(found.verdict),
        headline=headline(found),
        decided=tuple(decided(found)),
        notes=found.notes,
        tiles=tuple(_tiles(found)),
        plots=_plots(found),
        rows=tuple(map(_row, _worst_first(found))),
        chance=f"one of {round(1 / (1 - found.confidence))}",
        facts=tuple(_facts(found)),
    )


def headline(found: Monitoring) -> str:
    counted = [one for one in found.judged if one.counts]
    moved = sum(one.verdict is Drift.DRIFTED for one in counted)
    rows = words.count(found.rows, "row")
    if found.verdict is Drift.DRIFTED:
        worse = ["the metric is worse than promised"] if found.metric and found.metric.verdict is Drift.DRIFTED else []
        columns = [f"{moved} of {words.count(len(counted), 'column')} moved"] if moved else []
        return f"Production is not what the release was validated for: {' and '.join(columns + worse)}, on {rows}."
    if found.verdict is Drift.STABLE:
        return f"Production is like the hold-out: none of {words.count(len(counted), 'column')} moved, on {rows}."
    least = _least_rows(found)
    if least < found.min_rows:
        return f"Nothing can be said yet: {words.count(least, 'row')}, at least {found.min_rows:,} are needed."
    return f"No column moved, on {rows}; whether the metric is as promised cannot be decided yet."


def _least_rows(found: Monitoring) -> int:
    """Of window and hold-out."""
    return min(found.rows, found.reference.rows)


def decided(found: Monitoring) -> Iterator[Reason]:
    """The metric, then what drifted; where nothing did, what moved most."""
    if found.metric:
        yield Reason(
            TONES[found.metric.verdict],
            _of_metric(found.metric),
            words.metric(found.metric.metric),
            _told(found.metric),
        )
    for one in _worst_first(found):
        if one.counts and one.verdict is Drift.DRIFTED:
            yield Reason(Verdict.FAIL, str(one.verdict), one.name, one.words)
    if found.verdict is not Drift.DRIFTED:
        columns = Drift.TOO_FEW if _least_rows(found) < found.min_rows else Drift.STABLE
        yield Reason(TONES[columns], str(columns), "", _nearest(found))


def _of_metric(metric: LiveMetric) -> str:
    return {Drift.STABLE: "as promised", Drift.DRIFTED: "worse", Drift.TOO_FEW: "undecided"}[metric.verdict]


def _told(metric: LiveMetric) -> str:
    live, promised = metric.live, metric.promised
    return (
        f"{words.number(live.value)} on {words.count(live.rows, 'row')} with a label, promised "
        f"{words.number(promised.value)}; {_better_or_worse(metric.low, metric.high)} with "
        f"{live.confidence:.0%} confidence, at most {words.number(metric.allowed)} worse is allowed"
    )


def _better_or_worse(low: float, high: float) -> str:
    nearer, further = sorted((abs(low), abs(high)))
    if low < 0 < high:
        return f"from {words.number(-low)} worse to {words.number(high)} better"
    return f"{words.number(nearer)} to {words.number(further)} {'better' if low >= 0 else 'worse'}"


def _nearest(found: Monitoring) -> str:
    """The largest of all moves, as a share of what matters."""
    tests = [(one, test) for one in found.judged if one.counts for test in one.tests if test.matters]
    if not tests:
        return "No column has enough values to be tested."
    column, test = max(tests, key=lambda pair: pair[1].size / pair[1].matters)
    if not test.size:
        return "No column has moved by more than chance makes of it."
    needed = f"{100 * test.matters:g} points" if test.unit == "share" else words.number(test.matters)
    return (
        f"{column.name} moved most: {test.words}, from {needed} on it matters (p {words.equals(test.adjusted_p_value)})"
    )


def _tiles(found: Monitoring) -> Iterator[Tile]:
    traffic = found.traffic
    judged = f"{found.rows:,} judged" if found.rows < traffic.rows else "all judged"
    yield Tile("rows in the log", f"{traffic.rows:,}", (words.count(traffic.requests, "request"), judged))
    errors = sum(count for status, count in traffic.by_status.items() if int(status) >= 400)
    told = tuple(f"{status}: {count:,}" for status, count in traffic.by_status.items())
    yield Tile("requests with an error", words.share(errors, traffic.requests), told)
    if traffic.latency_ms:
        p50, p99 = traffic.latency_ms["0.5"], traffic.latency_ms["0.99"]
        median = (f"median {words.number(p50)} ms",)
        yield Tile("a request's time, 99th percentile", f"{words.number(p99)} ms", median)
    for one in found.scores:
        if one.psi is not None:
            lines = (
                f"chance alone: {words.number(one.psi_by_chance or 0)}",
                f"seldom above {words.number(one.psi_limit or 0)}",
            )
            yield Tile(f"stability index of {one.name}", words.number(one.psi), lines, TONES[one.verdict])
    if found.metric:
        yield _metric_tile(found.metric)


def _metric_tile(metric: LiveMetric) -> Tile:
    live = metric.live
    interval = f"{live.confidence:.0%} interval {words.number(live.low)} to {words.number(live.high)}"
    promised = f"promised {words.number(metric.promised.value)}"
    return Tile(words.metric(metric.metric), words.number(live.value), (interval, promised), TONES[metric.verdict])


def _plots(found: Monitoring) -> tuple[Plot, ...]:
    furthest = [one for one in _worst_first(found) if len(one.bins) > 1 and one not in found.scores][:_MOST_DRAWN]
    return drawn(
        [
            partial(figures.metric, found.metric),
            partial(figures.indexes, _worst_first(found)),
            *(partial(figures.column, one) for one in (*found.scores, *furthest) if len(one.bins) > 1),
            partial(figures.volume, found.traffic),
            partial(figures.latency, found.traffic),
        ]
    )


def _worst_first(found: Monitoring) -> list[ColumnDrift]:
    """Those that count, what drifted first, then by how far beyond chance the index is."""

    def place(one: ColumnDrift) -> tuple[bool, int, float]:
        beyond = (one.psi or 0.0) - (one.psi_by_chance or 0.0)
        return not one.counts, _WORST_FIRST.index(one.verdict), -beyond

    return sorted(found.judged, key=place)


def _row(one: ColumnDrift) -> Row:
    surest = min((test.adjusted_p_value for test in one.tests), default=None)
    return Row(
        tone=TONES[one.verdict],
        word=str(one.verdict) if one.counts else "not counted",
        name=one.name,
        kind=one.kind,
        rows=f"{one.rows_now:,}",
        missing=f"{words.share(one.missing_now, 1)}, was {words.share(one.missing_before, 1)}"
        if _has_missing(one)
        else "",
        unseen="" if one.unseen is None else words.share(one.unseen, 1),
        psi="" if one.psi is None else words.number(one.psi),
        limit="" if one.psi_limit is None else words.number(one.psi_limit),
        p_value="" if surest is None else words.probability(surest),
        words="; ".join(filter(None, (one.off, one.words))),
    )


def _has_missing(one: ColumnDrift) -> bool:
    return bool(one.missing_now or one.missing_before)


def _facts(found: Monitoring) -> Iterator[tuple[str, str]]:
    traffic = found.traffic
    if traffic.since and traffic.until:
        yield "window", f"{traffic.since:%Y-%m-%d %H:%M:%S} to {traffic.until:%Y-%m-%d %H:%M:%S} UTC"
    yield "held against", f"{found.reference.kind}, {words.count(found.reference.rows, 'row')}"
    yield "SHA-256 of the hold-out", found.reference.sha256
    yield "confidence", f"{found.confidence:.0%} for all tests together, after Holm's correction"
    yield "release", found.release
    yield "run", found.run_id
