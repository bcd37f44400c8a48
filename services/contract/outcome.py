"""The outcome of a promotion: each has exactly one."""

from enum import StrEnum

from services.contract.promotion import promotion_number
from services.contract.record import ModelName, Record, Revision, RunId


class Fate(StrEnum):
    WAITING = "waiting"
    JUDGING = "being judged"
    DELIVERED = "delivered"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Outcome(Record):
    """`stage` is where it is, was refused or cancelled, and `job` that place as GoCD locates it; what is refused at
    `watch` was live until then.

    `superseded_by` is the promotion that GoCD ran in its place; `words` are those of the gate that refused it.
    """

    model: ModelName
    revision: Revision
    run_id: RunId | None
    promoted_by: str
    fate: Fate
    stage: str | None = None
    job: str | None = None
    superseded_by: Revision | None = None
    words: str = ""

    @property
    def number(self) -> int:
        return promotion_number(self.revision)

    @property
    def open(self) -> bool:
        """Whether GoCD is going to do something about it by itself."""
        return self.fate in (Fate.WAITING, Fate.JUDGING)

    @property
    def told(self) -> str:
        """For a person, with the words of the gate."""
        return f"{self}: {self.words}" if self.words else str(self)

    def __str__(self) -> str:
        if self.superseded_by:
            return f"{self.fate} by {self.superseded_by}"
        return f"{self.fate} at {self.stage}" if self.stage else str(self.fate)
