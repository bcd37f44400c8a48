"""Asking GoCD for a poll until it takes the request: while one is under way it answers 409 and takes none."""

import time
from collections.abc import Callable, Sequence

# Longer together than a poll that goes well, and short enough to wait for on a command line.
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0)


def until_taken(
    ask: Callable[[], bool], pauses: Sequence[float] = PAUSES, wait: Callable[[float], object] = time.sleep
) -> bool:
    """Asks once more after each pause. False when a poll was under way every time.

    A poll that is under way may have begun before what it is wanted for, so waiting for its end is not enough.
    """
    for pause in pauses:
        if ask():
            return True
        wait(pause)
    return ask()
