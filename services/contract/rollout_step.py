"""Where a release stands on its way to all of the traffic, for people and for the verbs that wait for it."""

from datetime import datetime
from enum import StrEnum

from services.contract.record import Record, Revision, Sha256
from services.contract.verdict import Check


class StepKind(StrEnum):
    SHADOW = "shadow"
    CANARY = "canary"
    BAKE = "bake"


class Step(Record):
    """`seconds` is how long it lasts, `share` how much of the traffic the candidate gets, or is shown."""

    kind: StepKind
    seconds: float
    share: float = 1.0

    def __str__(self) -> str:
        return str(self.kind) if self.kind is StepKind.BAKE else f"{self.kind} of {self.share:.0%}"


class StepStatus(Record):
    """The step that a release is in since `since`, and what was found in it so far."""

    revision: Revision
    release: Sha256
    step: Step
    since: datetime
    paused: bool = False
    checks: tuple[Check, ...] = ()
