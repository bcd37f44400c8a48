"""What a gate found: pass, fail or inconclusive, with expected and found in words."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from services.contract.candidate import DataDigest
from services.contract.record import ModelName, Record, Revision, Sha256

LATENCY = "latency"


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Check(Record):
    name: str
    verdict: Verdict
    expected: str
    found: str


def overall(checks: Iterable[Check]) -> Verdict:
    """The worst verdict; no checks at all prove nothing."""
    found = {check.verdict for check in checks}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS):
        if verdict in found:
            return verdict
    return Verdict.INCONCLUSIVE


class Validation(Record):
    """The candidate on its own, on the hold-out; `latency_ms` is a row's median and 99th percentile when asked."""

    model: ModelName
    revision: Revision
    candidate: Sha256
    holdout: DataDigest
    verdict: Verdict
    checks: tuple[Check, ...]
    metrics: dict[str, float]
    latency_ms: dict[str, float]

    def without_moments(self) -> Self:
        """The same verdict without figures of time, for what is identified by its content."""
        checks = tuple(
            one.model_copy(update={"found": "measured when it was validated"}) if one.name == LATENCY else one
            for one in self.checks
        )
        return self.model_copy(update={"checks": checks, "latency_ms": {}})


class Live(Record):
    """The release that answered when the comparison was made."""

    revision: Revision
    release: Sha256
    model_digest: Sha256


class Comparison(Record):
    """Candidate against live on the same rows. `difference` is how much better the candidate is (negative: worse),
    `interval` its bootstrap confidence interval and `allowed` how much worse it may be, all in the metric's unit; None
    when nothing is live."""

    model: ModelName
    revision: Revision
    candidate: Sha256
    holdout: DataDigest
    live: Live | None
    metric: str
    candidate_value: float
    live_value: float | None
    difference: float | None
    interval: tuple[float, float] | None
    allowed: float | None
    confidence: float
    margin: float
    verdict: Verdict
    summary: str
