"""What monitor says of a window of production traffic, beside the hold-out that the release passed."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.verdict import Estimate

SCORE = "(score)"
LABEL = "(label)"
# What is told in place of a probability that is too small for a number.
_LEAST = 1e-300


class Drift(StrEnum):
    STABLE = "stable"
    DRIFTED = "drifted"
    TOO_FEW = "too few rows"


class DriftTest(Record):
    """`size` is how far it moved and `matters` from which size on that counts: the part of the stability index that
    chance does not explain (`unit` is `index`), or the difference of a share. A move counts that is as large, and whose
    `adjusted_p_value`, after Holm's correction over all tests of a report, is small enough."""

    what: str
    test: str
    unit: Literal["index", "share"]
    statistic: float
    p_value: float
    adjusted_p_value: float
    size: float
    matters: float
    drifted: bool

    @property
    def words(self) -> str:
        size = f"{100 * self.size:.3g} points" if self.unit == "share" else f"a stability index of {self.size:.3g}"
        return f"{self.what} by {size}"


class Bin(Record):
    """A range of numbers or a word, with the share of rows in it."""

    name: str
    before: float
    now: float


class ColumnDrift(Record):
    """An input, or what was answered. `rows_before` and `rows_now` are those with a value in it.

    `psi` is the population stability index over the `bins`; chance alone gives `psi_by_chance` on average and more than
    `psi_limit` in one of 1 / (1 - confidence) windows of so many rows. `off` is the reason why it does not count.
    """

    name: str
    kind: Literal["numbers", "moments", "categories", "texts"]
    verdict: Drift
    rows_before: int
    rows_now: int
    missing_before: float
    missing_now: float
    unseen: float | None = None
    psi: float | None = None
    psi_by_chance: float | None = None
    psi_limit: float | None = None
    tests: tuple[DriftTest, ...] = ()
    bins: tuple[Bin, ...] = ()
    off: str | None = None

    @property
    def counts(self) -> bool:
        return self.off is None

    @property
    def words(self) -> str:
        """What moved, the largest move first; empty where nothing did."""
        moved = sorted((one for one in self.tests if one.drifted), key=lambda one: -one.size / (one.matters or 1))
        return "; ".join(f"{one.words} (p {one.adjusted_p_value or _LEAST:.2g})" for one in moved)


class Volume(Record):
    """Of the requests from `at` on, until the next one."""

    at: datetime
    requests: int
    rows: int
    errors: int


class Traffic(Record):
    """Of all logged requests of the window: `latency_ms` are quantiles by share, of those that were answered."""

    requests: int
    rows: int
    since: datetime | None
    until: datetime | None
    by_status: dict[str, int]
    latency_ms: dict[str, float]
    volume: tuple[Volume, ...]


class Reference(Record):
    """What the window is held against: the hold-out's rows, or, where these cannot be had, the answers to them as the
    release records them."""

    kind: Literal["hold-out", "recorded answers"]
    rows: int
    sha256: Sha256


class LiveMetric(Record):
    """The metric by which releases are compared, on rows whose label has come, and as `validate` promised it on the
    hold-out. `better_by` has the interval `low` to `high` and is negative where the live one is worse; `allowed` is how
    much worse it may be. `unmatched` are labels of no logged row."""

    metric: str
    promised: Estimate
    live: Estimate
    better_by: float
    low: float
    high: float
    allowed: float
    unmatched: int
    verdict: Drift


class Monitoring(Record):
    """`scores` are what was answered; `rows` were judged, a sample where the window has more."""

    model: ModelName
    revision: Revision
    release: Sha256
    run_id: RunId
    verdict: Drift
    confidence: float
    min_rows: int
    rows: int
    reference: Reference
    scores: tuple[ColumnDrift, ...]
    columns: tuple[ColumnDrift, ...]
    traffic: Traffic
    metric: LiveMetric | None = None
    notes: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[ColumnDrift, ...]:
        return (*self.scores, *self.columns)
