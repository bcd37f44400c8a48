"""What validate says of a candidate: its checks, its metrics and what a person said of them."""

from typing import Self

from services.contract.candidate import DataDigest
from services.contract.record import ModelName, Record, Revision, Sha256
from services.contract.verdict import CPU, LATENCY, MEMORY, Acceptance, Check, Verdict, passes

_OF_A_MOMENT = (LATENCY, MEMORY, CPU)


class Validation(Record):
    """The candidate on its own, on the hold-out; `latency_ms` is a row's median and 99th percentile when asked.

    `warnings` stop nothing; `accepted` is a person's word, which makes an inconclusive verdict do.
    `holdout_decisions` is 1 for the first promotion that this hold-out decides, 2 for the next one and so on; None
    when it decided nothing, or when MLflow does not know.
    """

    model: ModelName
    revision: Revision
    candidate: Sha256
    holdout: DataDigest
    verdict: Verdict
    checks: tuple[Check, ...]
    metrics: dict[str, float]
    latency_ms: dict[str, float]
    warnings: tuple[str, ...] = ()
    holdout_decisions: int | None = None
    accepted: Acceptance | None = None

    @property
    def stage(self) -> str:
        return "validate"

    @property
    def passes(self) -> bool:
        return passes(self.verdict, self.accepted)

    def without_moments(self) -> Self:
        """The same verdict without what a machine took, for what is identified by its content."""
        checks = tuple(
            one.model_copy(update={"found": "measured when it was validated"}) if one.name in _OF_A_MOMENT else one
            for one in self.checks
        )
        return self.model_copy(update={"checks": checks, "latency_ms": {}})
