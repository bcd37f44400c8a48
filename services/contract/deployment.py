"""Deployments: which release answers for a model, since when, and who put it there."""

from datetime import datetime
from enum import StrEnum

from services.contract.candidate import PipelineRef
from services.contract.control_protocol import Workers
from services.contract.promotion import promotion_number
from services.contract.record import ModelId, ModelName, Record, Revision, RunId, Sha256, Words
from services.contract.rollout_step import StepStatus

# The HTTP status with which the rollout service says that another release is live than the request expects.
LIVE_CHANGED = 412
# The same for a candidate that was taken back in one of its steps.
STEPPED_BACK = 417
# Who goes back where the analysis of a step did.
ANALYSIS = "analysis"


class Action(StrEnum):
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class InPlaceOf(Record):
    """What must be live for a deploy to go on; `release` is None when nothing may be."""

    release: Sha256 | None


class DeployRequest(Record):
    """Asks the rollout service to let a stored release answer: in place of one, or of whatever is live."""

    release: Sha256
    by: Words
    reason: Words = ""
    in_place_of: InPlaceOf | None = None


class RollbackRequest(Record):
    """`to` is a revision that answered before, or the beginning of its release's digest; None is the one before."""

    by: Words
    reason: Words
    to: Words | None = None


class RetireRequest(Record):
    by: Words
    reason: Words


class StepOrder(StrEnum):
    """What a person may ask of the step that a release is in: stay in it, go on, leave out what is left, go back."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE_NOW = "promote-now"
    ABORT = "abort"


class StepRequest(Record):
    """Of whatever is in a step, or of `release` alone."""

    order: StepOrder
    by: Words
    reason: Words = ""
    release: Sha256 | None = None


class Deployment(Record):
    """A release that answers or answered, since `at`.

    `model_id` and `pipeline` are None in journals that are older than they are.
    """

    model: ModelName
    revision: Revision
    release: Sha256
    run_id: RunId
    model_id: ModelId | None = None
    action: Action
    at: datetime
    by: str
    reason: str
    pipeline: PipelineRef | None = None

    @property
    def number(self) -> int:
        return promotion_number(self.revision)


class Retirement(Record):
    """Since `at` nothing answers for a model; `deployment` is what did until then."""

    at: datetime
    by: str
    reason: str
    deployment: Deployment


class RollbackPlan(Record):
    """What a rollback would do. `loaded` says whether `target` needs not be loaded first; `standing` that it answers
    already; `checks` and `changes` are words."""

    target: Deployment
    loaded: bool
    standing: bool
    checks: tuple[str, ...]
    changes: tuple[str, ...]


class ModelState(Record):
    """`url` is where the model answers, None before its first release and while it is `retired`; a rollback returns to
    what was retired, else to `previous`.

    `tries` is how often what is live was started again without lasting, also while it answers in between. While it does
    not answer, `down_since` and `reason` say since when and why, as far as it was seen, and `next_try` when it will be
    started again. `workers` are its processes, where they are counted.
    `step` is the one that a release is in: a candidate on its way to be live, or the live one that is watched.
    """

    model: ModelName
    url: str | None
    answering: bool
    down_since: datetime | None = None
    reason: str = ""
    tries: int = 0
    next_try: datetime | None = None
    workers: Workers | None = None
    step: StepStatus | None = None
    live: Deployment | None
    previous: Deployment | None
    retired: Retirement | None = None

    def role(self, release: str) -> str:
        """`live`, `candidate` of a step, `previous`, or `other` for what loads or ends."""
        known = (("live", self.live), ("candidate", self.step), ("previous", self.previous))
        return next((role for role, one in known if one and one.release == release), "other")

    def releases(self) -> set[str]:
        """What answers, what a rollback goes back to, what a retired model had, and what is on its way to be live."""
        deployed = (self.live, self.previous, self.retired and self.retired.deployment)
        return {one.release for one in (*deployed, self.step) if one}
