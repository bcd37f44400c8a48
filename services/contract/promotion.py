"""A promotion: one run, tagged once, that GoCD is to deliver."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

from pydantic import ValidationError

from services.contract import names
from services.contract.errors import Refused
from services.contract.record import ModelId, ModelName, Record, Revision, RunId, first_problem, from_environment

_WRITTEN = re.compile(r"([1-9][0-9]{0,8}) ([0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}Z) (\S.*)")


class TagValue(Record):
    """The value that `trackback promote` writes into the tag: `<sequence> <UTC time> <who>`."""

    sequence: int
    at: datetime
    who: str

    def __str__(self) -> str:
        return f"{self.sequence} {self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {self.who}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for a bare value, such as one typed in MLflow's UI."""
        if not (match := _WRITTEN.fullmatch(text)):
            return None
        try:
            return cls(sequence=int(match[1]), at=datetime.fromisoformat(match[2]), who=match[3])
        except ValueError:
            return None


def event_id(run_id: str, value: str) -> str:
    """12 hex digits that identify the event "this run carries this tag value" (design §5)."""
    return hashlib.sha256(f"{run_id}\0{value}".encode()).hexdigest()[:12]


def reason_for(value: TagValue, reason: str) -> str:
    """Which promotion a reason was written for: `<sequence> <12 hex digits of the reason's SHA-256>` (design §5).

    With it a tag that is set by hand later is not taken to have the reason of the promotion before.
    """
    return f"{value.sequence} {hashlib.sha256(reason.encode()).hexdigest()[:12]}"


def promotion_number(revision: str) -> int:
    """The number that a revision begins with; it counts the promotions of a model."""
    return int(revision.partition("-")[0])


class Promotion(Record):
    """What GoCD exports of a revision as `GO_PACKAGE_MODEL_*`; `label` is the revision, `tag` the run's tag that
    promoted it, empty where an alias did."""

    model: ModelName
    label: Revision
    run_id: RunId
    run_name: str = ""
    run_status: str
    experiment_id: str
    model_id: ModelId | None = None
    promotion: str
    promoted_by: str = "unknown"
    reason: str = ""
    tag: str = ""

    @property
    def number(self) -> int:
        """Counts the promotions of this model; a higher one is a later decision."""
        return promotion_number(self.label)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises Refused, naming the variable that is missing or wrong."""
        found = from_environment(environment, names.PACKAGE_PREFIX)
        known = {key: value for key, value in found.items() if key in cls.model_fields and value}
        if found.get("alias"):
            known.pop("tag", None)
        try:
            return cls.model_validate(known)
        except ValidationError as error:
            variable = first_problem(error).partition(":")[0]
            raise Refused(
                f"expected {names.PACKAGE_PREFIX}{variable.upper()} of a promoted run, found "
                f"{found.get(variable, 'none')!r}: run this verb in a pipeline with the package material"
                f" '{names.PACKAGE_MATERIAL}', or set the variables as docs/operations.md shows"
            ) from error
