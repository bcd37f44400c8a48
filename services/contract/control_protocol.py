"""The protocol of the control socket between rollout service and serving process: one line of JSON each way.

`go` brings the listening socket and `listener` takes it, as a descriptor beside the line (SCM_RIGHTS). The serving
process tells its workers the same by the same messages.
"""

import re
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from services.contract.record import Record, Sha256

# Labels of a name as RFC 1123 has them, or an address.
_HOST = re.compile(r"(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*|\[[0-9a-fA-F:.]+\])")
_MOST_PORTS = 65535


def host_and_port(target: str) -> tuple[str, int] | None:
    """None for the path of a unix socket, which has a slash or no colon. Raises ValueError for what is neither."""
    if target and ("/" in target or ":" not in target):
        return None
    host, _, port = target.rpartition(":")
    if _HOST.fullmatch(host) and port.isdecimal() and port.isascii() and 0 < int(port) <= _MOST_PORTS:
        return host.strip("[]"), int(port)
    raise ValueError(f"expected a path of a socket or host:port as a target, found '{target}'")


def _checked(target: str) -> str:
    host_and_port(target)
    return target


Target = Annotated[str, AfterValidator(_checked)]


class Verb(StrEnum):
    STATUS = "status"
    GO = "go"
    DRAIN = "drain"
    LISTENER = "listener"
    STOP = "stop"
    SPLIT = "split"


class Split(Record):
    """Which share of its predictions a live release hands on to a candidate: another `release`, which answers at
    `targets`, paths of private sockets or `host:port`.

    With the header `sticky` each of its values stays on one side, without it each request is chosen by itself. In a
    `shadow` the candidate is asked as well and its answer is only compared: labels that differ, and numbers farther
    apart than `difference` of the live one, disagree.
    """

    release: Sha256
    targets: tuple[Target, ...]
    share: float
    sticky: str | None = None
    shadow: bool = False
    difference: float = 0.1


class Command(Record):
    """`grace` is for `stop`: seconds that open connections are given. `split` without one ends what it began."""

    verb: Verb
    grace: float = 0.0
    split: Split | None = None


class ServingState(StrEnum):
    READY = "ready"
    ACCEPTING = "accepting"
    STOPPING = "stopping"


class Status(Record):
    """`connections` are open ones of all its listeners, also of one that accepts no more."""

    pid: int
    release: Sha256
    state: ServingState
    connections: int


class Workers(Record):
    """How many processes of a release can answer, and how many it should have.

    `ended` counts those that ended or hung since the release was loaded, `reason` says why the last one did, and
    `next_try` when one is started in its place; None when none is missing.
    """

    wanted: int
    ready: int = 0
    ended: int = 0
    reason: str = ""
    next_try: datetime | None = None


class Reply(Record):
    """One of the two is set."""

    status: Status | None = None
    error: str | None = None


def private_socket(control: Path, worker: int) -> Path:
    """Where one worker alone answers by HTTP."""
    return control.with_name(f"{control.name}.{worker}.http")


def workers_file(control: Path) -> Path:
    """Where the serving process says how its `Workers` are, so that nobody has to wait for its answer."""
    return control.with_name(f"{control.name}.workers")
