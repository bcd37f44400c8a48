"""Who answers for a model, since when and because of whom."""

from datetime import datetime
from enum import StrEnum

from services.contract.promotion import promotion_number
from services.contract.record import ModelName, Record, Revision, RunId, Sha256


class Action(StrEnum):
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class DeployRequest(Record):
    """Asks the rollout service to let a stored release answer."""

    release: Sha256
    by: str
    reason: str = ""


class RollbackRequest(Record):
    by: str
    reason: str


class Deployment(Record):
    """A release that answers or answered, since `at`."""

    model: ModelName
    revision: Revision
    release: Sha256
    run_id: RunId
    action: Action
    at: datetime
    by: str
    reason: str

    @property
    def number(self) -> int:
        return promotion_number(self.revision)


class ModelState(Record):
    """`url` is where the model answers, None before its first release; a rollback returns to `previous`."""

    model: ModelName
    url: str | None
    answering: bool
    live: Deployment | None
    previous: Deployment | None
