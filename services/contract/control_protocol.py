"""The protocol of the control socket between rollout service and serving process: one line of JSON each way.

`go` brings the listening socket and `listener` takes it, as a descriptor beside the line (SCM_RIGHTS).
"""

from enum import StrEnum

from services.contract.record import Record, Sha256


class Verb(StrEnum):
    STATUS = "status"
    GO = "go"
    DRAIN = "drain"
    LISTENER = "listener"
    STOP = "stop"


class Command(Record):
    """`grace` is for `stop`: seconds that open connections are given."""

    verb: Verb
    grace: float = 0.0


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


class Reply(Record):
    """One of the two is set."""

    status: Status | None = None
    error: str | None = None
