"""Named places at which a test lets the rollout service end, each between two things that a crash can part."""

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from itertools import count
from pathlib import Path

from services.contract.errors import Refused

FAIL_AT = "TRACKBACK_FAIL_AT"
# Whose state may be lost has a file of this name in it, so that a variable that was forgotten ends no service.
EXPENDABLE = "expendable"
log = logging.getLogger(__name__)


class FailPoint(StrEnum):
    """In the order in which a deploy, a retirement, a start of what ended and a start of the service reach them."""

    CANDIDATE_NOTED = "candidate-noted"
    PROCESS_STARTED = "process-started"
    PROCESS_RECORDED = "process-recorded"
    CANDIDATE_STARTED = "candidate-started"
    CANDIDATE_LOADED = "candidate-loaded"
    CANDIDATE_CHECKED = "candidate-checked"
    STEP_BEGUN = "step-begun"
    STEP_OVER = "step-over"
    STEPS_OVER = "steps-over"
    WENT = "went"
    DRAINED = "drained"
    CONFIRMED = "confirmed"
    POINTED = "pointed"
    LEDGER_WRITTEN = "ledger-written"
    OLD_RETIRED = "old-retired"
    BAKE_BEGUN = "bake-begun"
    BAKE_OVER = "bake-over"
    GOING_BACK = "going-back"
    GONE_BACK = "gone-back"
    RETIREMENT_POINTED = "retirement-pointed"
    ADDRESS_CLOSED = "address-closed"
    RETIREMENT_WRITTEN = "retirement-written"
    ADDRESS_OPENED = "address-opened"
    AGAIN_LOADED = "again-loaded"
    AGAIN_WENT = "again-went"
    LEDGER_REPAIRED = "ledger-repaired"
    LIVE_ADOPTED = "live-adopted"
    REST_ENDED = "rest-ended"
    BAKE_RESUMED = "bake-resumed"


Told = Callable[[FailPoint], None]
TOLD: list[Told] = []


def reached(point: FailPoint) -> None:
    """Does nothing, unless a test asked to be told."""
    for tell in TOLD:
        tell(point)


@contextmanager
def telling(tell: Told) -> Iterator[None]:
    """Inside, `tell` is called at each, in the thread that reaches it; what it raises is raised there."""
    TOLD.append(tell)
    try:
        yield
    finally:
        TOLD.remove(tell)


def arm(environment: Mapping[str, str], state: Path) -> None:
    """Kills this process as kill -9 does where `TRACKBACK_FAIL_AT=<name>[:<nth>]` says, in an expendable state only.

    Raises Refused for a name or number that there is not.
    """
    if not (text := environment.get(FAIL_AT)):
        return
    point, nth = _read(text)
    if not (state / EXPENDABLE).exists():
        log.warning("%s=%s is ignored: it is for tests, and %s has no file '%s'", FAIL_AT, text, state, EXPENDABLE)
        return
    log.warning("%s=%s: this service will kill itself there, as a test asked", FAIL_AT, text)
    times = count(1)

    def kill(found: FailPoint) -> None:
        if found is point and next(times) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    TOLD.append(kill)


def _read(text: str) -> tuple[FailPoint, int]:
    name, _, nth = text.partition(":")
    if name not in list(FailPoint) or not (nth or "1").isdecimal() or nth == "0":
        expected = f"expected <name>[:<nth>] with nth of 1 or more, found '{text}'"
        raise Refused(f"{FAIL_AT}: {expected}: unset it, or name one of {', '.join(FailPoint)}")
    return FailPoint(name), int(nth or "1")
