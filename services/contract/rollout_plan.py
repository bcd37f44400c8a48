"""`rollout:` of model.yaml: the steps by which a release takes over, and what each of them is judged by."""

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from services.contract.record import Record

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
_HEADER = re.compile(r"[A-Za-z0-9-]+")


def _seconds(value: Any) -> float:
    """Of a duration as people write it, or of a number of seconds."""
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        return float(found[1]) * _SECONDS[found[2]]
    if _is_number(value) and value >= 0:
        return float(value)
    raise ValueError(f"expected a duration such as 30s, 2m or 1h, found '{value}'")


def _share(value: Any) -> float:
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    share = float(found[1]) / 100 if found else value
    if _is_number(share) and 0 < share <= 1:
        return float(share)
    raise ValueError(f"expected a share such as 5% or 0.05, above 0% and up to 100%, found '{value}'")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _some_shares(value: Any) -> Any:
    """`canary: 5%` is one of them."""
    if isinstance(value, Mapping):
        raise ValueError(f"expected shares such as [5%, 25%], each of which stays for `step`, found {dict(value)}")
    return value if isinstance(value, list | tuple) else [value]


def _ascending(shares: tuple[float, ...]) -> tuple[float, ...]:
    if list(shares) != sorted(set(shares)):
        raise ValueError(f"expected shares that ascend, found {', '.join(f'{share:.4g}' for share in shares)}")
    return shares


def _some_shadow(value: Any) -> Any:
    """`shadow: 2m` says how long."""
    if value is None or isinstance(value, Mapping | Shadow):
        return value
    if isinstance(value, list | bool):
        raise ValueError(f"expected a duration such as 2m, or {{duration: 2m, share: 10%}}, found '{value}'")
    return {"duration": value}


def _header(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and _HEADER.fullmatch(value)):
        raise ValueError(f"expected the name of a header such as X-User-Id, found '{value}'")
    return value


_DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{_DURATION.pattern}$"}]
}
_SHARE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "string", "pattern": f"^{_PERCENT.pattern}$"},
    ]
}
_SHARES_SCHEMA: dict[str, Any] = {"anyOf": [*_SHARE_SCHEMA["anyOf"], {"type": "array", "items": _SHARE_SCHEMA}]}
_SHADOW_SCHEMA: dict[str, Any] = {
    "anyOf": [
        *_DURATION_SCHEMA["anyOf"],
        {
            "type": "object",
            "properties": {"duration": _DURATION_SCHEMA, "share": _SHARE_SCHEMA},
            "required": ["duration"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ]
}
Duration = Annotated[float, BeforeValidator(_seconds), WithJsonSchema(_DURATION_SCHEMA)]
Share = Annotated[float, BeforeValidator(_share), WithJsonSchema(_SHARE_SCHEMA)]


class WhenInconclusive(StrEnum):
    """What follows when there were too few requests to judge by: wait for more and then go back, go on, go back."""

    WAIT = "wait"
    PROMOTE = "promote"
    BACK = "back"


class WhenWithdrawn(StrEnum):
    """What `deploy` does with a release whose promotion was withdrawn after it had been packaged."""

    DEPLOY = "deploy"
    STOP = "stop"


class Shadow(Record):
    """For so many seconds, `share` of the requests is answered by the candidate too; nobody gets these answers."""

    duration: Duration
    share: Share = 0.1


class Limits(Record):
    """What a candidate may differ by from what is live in the same time."""

    errors: Share = Field(0.01, description="how much more of its requests may fail, or be refused")
    slow: Share = Field(0.05, description="how much more of its requests may be slow")
    latency_ratio: float = Field(
        1.5, ge=1, description="times the live release's 95th percentile, beyond which a request is slow"
    )
    disagreement: Share = Field(1.0, description="share of shadowed answers that may differ from the live release's")
    difference: Share = Field(0.1, description="of the live release's number, from which on another number differs")
    stability: float = Field(0.25, gt=0, description="the most of the population stability index of its answers")
    megabytes: float = Field(200.0, gt=0, description="memory that it may gain beyond what the live release gains")


class RolloutPlan(Record):
    """All but the bake is off unless it is declared. Durations are in seconds, or as people write them."""

    shadow: Annotated[Shadow | None, BeforeValidator(_some_shadow), WithJsonSchema(_SHADOW_SCHEMA)] = Field(
        None,
        description="how long, and with which share, requests are copied to the candidate, whose answers nobody gets",
    )
    canary: Annotated[
        tuple[Share, ...], BeforeValidator(_some_shares), AfterValidator(_ascending), WithJsonSchema(_SHARES_SCHEMA)
    ] = Field((), description="shares of the requests that the candidate answers, one after the other")
    step: Duration = Field(120.0, description="how long each share of `canary` stays")
    bake: Duration = Field(
        10.0, description="how long it is watched once it is live, and the release before stays loaded"
    )
    sticky: Annotated[str | None, BeforeValidator(_header)] = Field(
        None, description="a header, each of whose values stays on one side; else each request is chosen by itself"
    )
    # Where none of so many failed, a share of 1 % is excluded with 95 % confidence (Hanley, 1983, the rule of three).
    min_requests: int = Field(300, ge=1, description="of each side, with fewer of which a step is inconclusive")
    inconclusive: WhenInconclusive = Field(
        WhenInconclusive.WAIT, description="what follows then: `wait`, and go back in the end; `promote`; or go `back`"
    )
    wait: Duration = Field(600.0, description="how long it waits for more requests at most, beyond its step")
    withdrawn: WhenWithdrawn = Field(
        WhenWithdrawn.DEPLOY,
        description="when the run lost its tag after `package`: `deploy` all the same and record it, or `stop`",
    )
    limits: Limits = Field(Limits(), description="what the candidate may differ by, in the table below")
