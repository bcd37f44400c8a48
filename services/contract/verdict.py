"""What a gate found: pass, fail or inconclusive, with expected and found in words."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from services.contract.record import Cell, Record, Revision

# Checks whose names more than their gate knows: those of budgets as model.yaml spells them.
LATENCY = "latency"
SIZE, MEMORY, CPU = "model_megabytes", "memory_megabytes", "cpu_seconds"


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Estimate(Record):
    """A metric on `rows` rows, with the bootstrap interval of `confidence` around it, in the metric's unit, and the
    bounds that it is held against."""

    metric: str
    value: float
    low: float
    high: float
    confidence: float
    rows: int
    min: float | None = None
    max: float | None = None


class Check(Record):
    """One of the checks of a gate, whose name `gates.off` of model.yaml knows.

    `off` is the reason that model.yaml gives for not counting it, `examples` are at most five rows that show what was
    found: the inputs by their columns, and what else is to be seen.
    """

    name: str
    verdict: Verdict
    expected: str
    found: str
    gate: str = ""
    off: str | None = None
    estimate: Estimate | None = None
    examples: tuple[dict[str, Cell], ...] = ()

    @property
    def stops(self) -> bool:
        return self.off is None and self.verdict is not Verdict.PASS


class Acceptance(Record):
    """A person's word that an inconclusive verdict of a stage is good enough for this revision."""

    stage: str
    revision: Revision
    by: str
    at: datetime
    reason: str


def overall(checks: Iterable[Check]) -> Verdict:
    """The worst verdict of those that count; no checks at all prove nothing."""
    found = {check.verdict for check in checks if check.off is None}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS):
        if verdict in found:
            return verdict
    return Verdict.INCONCLUSIVE


def passes(verdict: Verdict, accepted: Acceptance | None) -> bool:
    """A person can overrule what could not be decided, never what failed."""
    return verdict is Verdict.PASS or (verdict is Verdict.INCONCLUSIVE and accepted is not None)
