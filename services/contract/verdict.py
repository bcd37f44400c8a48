"""What a gate found: pass, fail or inconclusive, with expected and found in words."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from services.contract import names
from services.contract.record import Cell, Record, Revision

# Checks whose names more than their gate knows: those of budgets as model.yaml spells them.
LATENCY = "latency"
SIZE, MEMORY, CPU = "model_megabytes", "memory_megabytes", "cpu_seconds"
_TAG = re.compile(
    rf"(?P<revision>{names.REVISION.pattern}) (?P<at>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<by>[^:\n]+): (?P<reason>.+)"
)


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

    def __str__(self) -> str:
        return f"accepted by {self.by} on {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {self.reason}"

    @property
    def tag(self) -> str:
        """The value of the run's tag `trackback.accepted.<stage>`: `<revision> <UTC time> <who>: <reason>`."""
        return f"{self.revision} {self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {self.by}: {self.reason}"

    @classmethod
    def of_tag(cls, stage: str, text: str) -> Self | None:
        """None for what was not written by `trackback accept`."""
        if not (found := _TAG.fullmatch(text)):
            return None
        try:
            at = datetime.fromisoformat(found["at"])
        except ValueError:
            return None
        return cls(stage=stage, revision=found["revision"], at=at, by=found["by"], reason=found["reason"])


def overall(checks: Iterable[Check]) -> Verdict:
    """The worst verdict of those that count; no checks at all prove nothing, and where all are off nothing is asked."""
    every = tuple(checks)
    found = {check.verdict for check in every if check.off is None}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS):
        if verdict in found:
            return verdict
    return Verdict.PASS if every else Verdict.INCONCLUSIVE


def switched_off(checks: Iterable[Check]) -> str:
    """The gates that do not count, each with its reason, for a person; empty when all count."""
    reasons = {check.gate or check.name: check.off for check in checks if check.off is not None}
    said = "; ".join(f"{gate} ({reason})" for gate, reason in reasons.items())
    return f"switched off: {said}" if said else ""


def passes(verdict: Verdict, accepted: Acceptance | None) -> bool:
    """A person can overrule what could not be decided, never what failed."""
    return verdict is Verdict.PASS or (verdict is Verdict.INCONCLUSIVE and accepted is not None)
