"""What compare says of a candidate beside the release that answers, on the same rows."""

from typing import Self

from services.contract.candidate import DataDigest
from services.contract.gates import Margin
from services.contract.record import Cell, ModelName, Record, Revision, Sha256
from services.contract.verdict import Acceptance, Check, Verdict, passes

# The cost that is the same whenever it is looked at.
MODEL_SIZE = "model size"


class Live(Record):
    """The release that answered when the comparison was made; `model_digest` is None when it could not be read."""

    revision: Revision
    release: Sha256
    model_digest: Sha256 | None


class Difference(Record):
    """A metric of both models on the rows of a slice, None for all rows: `better_by` and its interval are positive
    where the candidate is better, `allowed` is how much worse it may be; all in the metric's unit.

    `p_value` is that of being no worse than allowed: the smaller, the surer it is worse. `adjusted_p_value` is it after
    Holm's correction: the compared metric on the slices is corrected for their number, and the other metrics, which
    decide nothing, for all looks at them. On all rows the interval of the compared metric decides alone.
    """

    metric: str
    slice: str | None
    rows: int
    candidate: float
    live: float
    better_by: float
    low: float
    high: float
    allowed: float
    p_value: float
    adjusted_p_value: float
    verdict: Verdict


class SignificanceTest(Record):
    """Whether both models are equally good: McNemar's test of labels, or a paired permutation of errors."""

    name: str
    p_value: float
    words: str


class Flip(Record):
    """A row that one model had right and the other has wrong: the inputs, the target and both answers."""

    inputs: dict[str, Cell]
    actual: Cell
    candidate: Cell
    live: Cell


class Flips(Record):
    """Of `rows`, those that changed sides: negative ones that live had right and the candidate has wrong, and the
    reverse; `right` says what that means, `worst` are the negative ones that lost most, at most fifty."""

    negative: int
    positive: int
    rows: int
    right: str
    worst: tuple[Flip, ...]


class Shift(Record):
    """How far the answers' distribution moved: population stability index, and Kolmogorov and Smirnov's statistic."""

    psi: float
    ks: float
    ks_p_value: float
    words: str


class Cost(Record):
    """What the candidate takes beside the live model: bytes of its files and of memory, a row's milliseconds."""

    name: str
    unit: str
    candidate: float
    live: float


class Change(Record):
    """What differs between the two runs; None where one of them has no such thing.

    `kind` is `parameter`, `data`, `column`, `distribution`, `library`, `environment` or `code`.
    """

    kind: str
    name: str
    candidate: str | None
    live: str | None


class Comparison(Record):
    """Candidate against live on the same rows. `difference` is how much better the candidate is (negative: worse),
    `interval` its bootstrap confidence interval and `allowed` how much worse it may be, all in the metric's unit. These
    are None when nothing is live, and all values are that could not be had, which `summary` explains. `margin` is what
    model.yaml says, as a share of the live error or in the metric's unit; `warnings` stop nothing."""

    model: ModelName
    revision: Revision
    candidate: Sha256
    holdout: DataDigest
    live: Live | None
    metric: str
    candidate_value: float | None
    live_value: float | None
    difference: float | None
    interval: tuple[float, float] | None
    allowed: float | None
    confidence: float
    margin: Margin
    verdict: Verdict
    summary: str
    checks: tuple[Check, ...] = ()
    differences: tuple[Difference, ...] = ()
    test: SignificanceTest | None = None
    flips: Flips | None = None
    shift: Shift | None = None
    costs: tuple[Cost, ...] = ()
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    accepted: Acceptance | None = None

    @property
    def stage(self) -> str:
        return "compare"

    @property
    def passes(self) -> bool:
        return passes(self.verdict, self.accepted)

    def without_moments(self) -> Self:
        """The same verdict without figures of time and memory, for what is identified by its content."""
        return self.model_copy(update={"costs": tuple(one for one in self.costs if one.name == MODEL_SIZE)})
