"""Waiting has a name: what for, how long, and what was seen last."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
# A net for what hangs, far above what anything takes: a machine that is busy with others is no failure.
PATIENCE = 300.0


def poll_until(look: Callable[[], Found | None], what: str, seconds: float = PATIENCE, pause: float = 0.1) -> Found:
    """The first true answer; AssertionError names what was waited for and the last answer."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; the last answer was {found!r}")
        time.sleep(pause)
    return found
