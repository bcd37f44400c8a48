"""`rollout:` of model.yaml: the steps by which a release takes over, and what each of them is judged by."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from services.contract.record import Record

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not (found := _DURATION.fullmatch(value)):
        raise ValueError(f"expected a duration such as 30s, 2m or 1h, found '{value}'")
    return float(found[1]) * _SECONDS[found[2]]


def _share(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not (found := _PERCENT.fullmatch(value)):
        raise ValueError(f"expected a share such as 5%, found '{value}'")
    return float(found[1]) / 100


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
Share = Annotated[float, BeforeValidator(_share), Field(gt=0, le=1)]


class WhenInconclusive(StrEnum):
    """What follows when there were too few requests to judge by: wait for more and then go back, go on, go back."""

    WAIT = "wait"
    PROMOTE = "promote"
    BACK = "back"


class Shadow(Record):
    """For so many seconds, `share` of the requests is answered by the candidate too; nobody gets these answers."""

    duration: Duration
    share: Share = 0.1


class Limits(Record):
    """What a candidate may differ by from what is live in the same time.

    `errors` is how much more of its requests may fail, `slow` how much more of them may take longer than
    `latency_ratio` times the live release's 95th percentile, `disagreement` the share of shadowed answers that may
    differ (numbers do when they are farther apart than `difference` of the live one), `stability` the most of the
    population stability index of its answers, `megabytes` how much memory it may gain.
    """

    errors: Share = 0.01
    slow: Share = 0.05
    latency_ratio: float = Field(1.5, ge=1)
    disagreement: Share = 1.0
    difference: Share = 0.1
    stability: float = Field(0.25, gt=0)
    megabytes: float = Field(200.0, gt=0)


class RolloutPlan(Record):
    """All but the bake is off unless it is declared.

    Each share of `canary` stays for `step`, one request at a time, or one client at a time with the header `sticky`.
    `bake` is how long the release before stays loaded and the new one is watched. A step is judged by `min_requests`
    of each side; with fewer, `inconclusive` says what follows, for at most `wait`. Where nothing is live to go back to
    there is no step before the bake.
    """

    shadow: Shadow | None = None
    canary: tuple[Share, ...] = ()
    step: Duration = 120.0
    bake: Duration = 10.0
    sticky: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    # Where none of so many failed, a share of 1 % is excluded with 95 % confidence (Hanley, 1983, the rule of three).
    min_requests: int = Field(300, ge=1)
    inconclusive: WhenInconclusive = WhenInconclusive.WAIT
    wait: Duration = 600.0
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, found: Any) -> Any:
        """`shadow: 2m` and `canary: 5%`."""
        if not isinstance(found, Mapping):
            return found
        plan = dict(found)
        if isinstance(plan.get("shadow"), str | int | float):
            plan["shadow"] = {"duration": plan["shadow"]}
        if isinstance(plan.get("canary"), str | int | float):
            plan["canary"] = [plan["canary"]]
        return plan

    @model_validator(mode="after")
    def _ascending(self) -> "RolloutPlan":
        if list(self.canary) != sorted(set(self.canary)):
            raise ValueError(f"canary: expected shares that ascend, found {', '.join(f'{s:.0%}' for s in self.canary)}")
        return self
