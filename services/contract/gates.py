"""What model.yaml declares of the gates; docs/gates.md explains each."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, StringConstraints, field_validator, model_validator

from services.contract.record import Record
from services.contract.task import Task

# Those that model.yaml may switch off. What proves custody and types cannot be: hold-out, library, signature, load.
Switchable = Literal[
    "stability", "robustness", "thresholds", "slices", "classes", "leakage", "budgets", "latency", "compare",
    "compare-slices",
]  # fmt: skip


# Letters of a reason that tells more than "slow".
LEAST_REASON = 10


class Threshold(Record):
    """Bounds on a hold-out metric; at least one of them."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("expected min, max or both")
        return self


# Where model.yaml has no bound on it: probabilities that are off by a tenth mislead whoever acts on them.
DEFAULT_THRESHOLDS: dict[Task, dict[str, Threshold]] = {
    "regression": {},
    "classification": {"expected_calibration_error": Threshold(max=0.1)},
    "binary-classification": {"expected_calibration_error": Threshold(max=0.1)},
}


class SliceGate(Record):
    """Rows that are alike in a column, judged apart: by bounds of their own, or by those of all rows where there are
    none. Numbers and moments are cut into `quantiles`; a slice of fewer than `min_rows` rows is named, not judged."""

    thresholds: dict[str, Threshold] = {}
    min_rows: Annotated[int, Field(ge=2)] = 100
    quantiles: Annotated[int, Field(ge=2, le=20)] = 4


class Budgets(Record):
    """What a model may take: bytes of its folder and memory in megabytes, and CPU seconds to answer the hold-out, which
    must be fewer than a job may be silent."""

    model_megabytes: Annotated[float, Field(gt=0)] = 1000
    memory_megabytes: Annotated[float, Field(gt=0)] = 4000
    cpu_seconds: Annotated[int, Field(gt=0, le=400)] = 240


class Margin(Record):
    """How much worse than live a candidate may be: a share of the live error, or so much of the metric's unit."""

    relative: Annotated[float, Field(ge=0, lt=1)] | None = None
    absolute: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_number(cls, margin: Any) -> Any:
        return {"relative": margin} if isinstance(margin, int | float) else margin

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.relative is None) == (self.absolute is None):
            raise ValueError("expected a number, relative or absolute, and one of them")
        return self

    def of(self, live_error: float) -> float:
        """In the metric's unit."""
        return self.relative * live_error if self.relative is not None else float(self.absolute or 0.0)


class CompareGate(Record):
    """How much worse than live a candidate may be on all rows (`margin`) and on each slice, and how sure we must be.

    The error of a metric whose best value is 1 is what it lacks of it.
    """

    metric: str
    margin: Margin = Margin(relative=0.01)
    slice_margin: Margin = Margin(relative=0.1)
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    min_rows: Annotated[int, Field(ge=2)] = 100


class Overlap(Record):
    """What share of the hold-out may be among the training rows: with the target (`rows`), or with another one, equal
    rows counted once (`inputs`). Where none is declared, the data's own share of such twins decides, and no equal row
    may be there when the split puts them on one side."""

    rows: Annotated[float, Field(ge=0, lt=1)] | None = None
    inputs: Annotated[float, Field(ge=0, lt=1)] | None = None


class Off(Record):
    """Why a gate is switched off, which every report says."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=LEAST_REASON)]


class Gates(Record):
    """`off` are gates whose checks are shown and not counted; from `holdout_decisions` promotions on that a hold-out
    has decided, the report warns that it is worn out.

    A classification without a bound on expected_calibration_error has one of at most 0.1. `confidence` is that of the
    interval around each threshold's metric, and of all slices together.
    """

    thresholds: Annotated[dict[str, Threshold], Field(min_length=1)]
    latency_p99_ms: Annotated[float, Field(gt=0)]
    compare: CompareGate
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    slices: dict[str, SliceGate] = {}
    budgets: Budgets = Budgets()
    overlap: Overlap = Overlap()
    holdout_decisions: Annotated[int, Field(ge=1)] = 20
    off: dict[Switchable, Off] = {}

    @model_validator(mode="before")
    @classmethod
    def _of_names(cls, gates: Any) -> Any:
        """`slices: [cut]` is a slice with nothing of its own."""
        if isinstance(gates, dict) and isinstance(names := gates.get("slices"), list):
            return {**gates, "slices": {str(name): {} for name in names}}
        return gates

    @field_validator("off", mode="before")
    @classmethod
    def _with_reasons(cls, off: Any) -> Any:
        if not isinstance(off, dict):
            raise ValueError(f"expected {{gate: {{reason: …}}}}, found {off!r}: say of each gate why it is off")
        for gate, why in off.items():
            if gate not in (known := get_args(Switchable)):
                raise ValueError(f"{gate}: expected one of {', '.join(known)}, found another: no other can be off")
            if not (isinstance(why, dict) and _tells(why.get("reason"))):
                said = why.get("reason") if isinstance(why, dict) else why
                raise ValueError(f"{gate}: expected {{reason: …}} of {LEAST_REASON} letters or more, found {said!r}")
        return off

    def reason_off(self, gate: str) -> str | None:
        """None for a gate that counts."""
        return next((off.reason for name, off in self.off.items() if name == gate), None)


def _tells(reason: Any) -> bool:
    return isinstance(reason, str) and len(reason.strip()) >= LEAST_REASON
