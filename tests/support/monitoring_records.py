"""Records of monitor as it would write them, one for each verdict."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.contract.monitoring import (
    LABEL,
    SCORE,
    Bin,
    ColumnDrift,
    Drift,
    DriftTest,
    LiveMetric,
    Monitoring,
    Reference,
    Traffic,
    Volume,
)
from services.contract.verdict import Estimate

AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
_MOVES = {Drift.STABLE: 0.01, Drift.DRIFTED: 0.61, Drift.TOO_FEW: 0.0}
_RANGES = ("up to 0.31", *(f"{one / 10} to {(one + 1) / 10}" for one in range(3, 11)), "above 1.1")
_WORDS = ("Ideal", "Premium", "Very Good", "a kind with a name that is far too long for a plot", "(others)")


def monitoring(verdict: Drift, name: str = "carat") -> Monitoring:
    """With a column of each kind; `name` is that of one and of one of its words."""
    columns = (
        _column(name, "numbers", verdict, _RANGES),
        _column("cut", "categories", Drift.STABLE, (*_WORDS, name), unseen=0.104),
        _column("remark", "texts", Drift.STABLE, _RANGES),
        _column("pressure", "numbers", Drift.TOO_FEW, ()),
        _column("sold", "moments", Drift.DRIFTED, _RANGES, off="a moment moves by itself"),
    )
    few = verdict is Drift.TOO_FEW
    return Monitoring(
        model="diamond-price", revision="7-aaaaaaaa", release="ab" * 32, run_id="c" * 32, verdict=verdict,
        confidence=0.95, min_rows=500, rows=123 if few else 12_345,
        reference=Reference(kind="hold-out", rows=10_734, sha256="d1" * 32),
        scores=(_column(SCORE, "numbers", Drift.STABLE, _RANGES), _column(LABEL, "categories", Drift.STABLE, _WORDS)),
        columns=columns, traffic=_traffic(), metric=None if few else _metric(verdict),
        notes=(f"12% of the rows are one and the same, which may be a probe: {name}",),
    )  # fmt: skip


def _column(name: str, kind: Any, verdict: Drift, bins: tuple[str, ...], **more: Any) -> ColumnDrift:
    size = _MOVES[verdict]
    test = DriftTest(
        what="values", test="Kolmogorov-Smirnov", unit="index", statistic=0.0912, p_value=1.2e-21,
        adjusted_p_value=0.0000000123 if size > 0.1 else 1.0, size=size, matters=0.1, drifted=size > 0.1,
    )  # fmt: skip
    shares = [(1 + place % 3) / sum(1 + one % 3 for one in range(len(bins))) for place in range(len(bins))]
    return ColumnDrift(
        name=name, kind=kind, verdict=verdict, rows_before=10_000, rows_now=12_000, missing_before=0.0,
        missing_now=0.0213, psi=size + 0.0031 if bins else None, psi_by_chance=0.0031 if bins else None,
        psi_limit=0.0058 if bins else None, tests=(test,) if bins else (),
        bins=tuple(Bin(name=one, before=share, now=share) for one, share in zip(bins, shares, strict=True)), **more,
    )  # fmt: skip


def _traffic() -> Traffic:
    volume = [Volume(at=AT + timedelta(hours=one), requests=500 + one, rows=900, errors=one) for one in range(24)]
    return Traffic(
        requests=12_276, rows=21_600, since=AT, until=AT + timedelta(hours=23), by_status={"200": 12_000, "422": 276},
        latency_ms={"0.5": 0.91, "0.9": 1.7, "0.99": 2.88, "0.999": 41.2}, volume=tuple(volume),
    )  # fmt: skip


def _metric(verdict: Drift) -> LiveMetric:
    off = 160.0 if verdict is Drift.DRIFTED else 1.0
    promised, live = (
        Estimate(metric="mean_absolute_error", value=one, low=one - 4, high=one + 5, confidence=0.95, rows=10_734)
        for one in (331.0, 331.0 + off)
    )
    return LiveMetric(
        metric="mean_absolute_error", promised=promised, live=live, better_by=-off, low=-off - 6, high=6 - off,
        allowed=6.62, unmatched=3, verdict=verdict,
    )  # fmt: skip
