"""Waiting for a condition, never longer than said."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.02


def wait_until(look: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time; it is looked at once at least."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
