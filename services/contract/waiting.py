"""Waiting for a condition, never longer than said, and saying what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

from services.contract.errors import Refused

Answer = TypeVar("Answer")
PAUSE_SECONDS = 0.02
RETRY_SECONDS = 0.3


class NotInTime(Refused):
    """What was waited for did not come."""


def wait_until(
    condition: Callable[[], Answer],
    what: str,
    seconds: float,
    *,
    found: Callable[[], str] = lambda: "it did not come",
    pause: float = PAUSE_SECONDS,
) -> Answer:
    """The first true answer of `condition`, which is asked once at least, and again after each `pause`.

    Raises NotInTime, "expected <what> within <seconds> s, <found>", when `seconds` are over; `found` is asked then.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() >= deadline:
            raise NotInTime(f"expected {what} within {seconds:g} s, {found()}")
        time.sleep(pause)
    return answer


def retry(ask: Callable[[], Answer], seconds: float, passing: tuple[type[Exception], ...]) -> Answer:
    """Asks again after each of the `passing` errors; raises the first that comes when `seconds` are over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except passing:
            if time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_SECONDS)
