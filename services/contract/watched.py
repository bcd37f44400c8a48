"""watch.json: how the rollout of a release ended, and what was seen of its steps."""

from datetime import datetime
from enum import StrEnum

from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.verdict import Check, Verdict


class Ending(StrEnum):
    """`UNWATCHED` is what became live and is in no bake that anybody watches."""

    RELEASED = "released"
    TAKEN_BACK = "taken back"
    REPLACED = "replaced"
    RETIRED = "retired"
    UNWATCHED = "unwatched"


class WatchedStep(Record):
    """A line of the ledger: a step that began, or what a person ordered in one."""

    at: datetime
    by: str
    words: str


class Watched(Record):
    """`words` are those of the analysis, or of whoever ended it; `checks` what was last seen of the bake, empty when it
    was over before anybody looked."""

    model: ModelName
    revision: Revision
    release: Sha256
    run_id: RunId
    ending: Ending
    verdict: Verdict
    words: str
    steps: tuple[WatchedStep, ...]
    checks: tuple[Check, ...]

    @property
    def released(self) -> bool:
        return self.ending is Ending.RELEASED
