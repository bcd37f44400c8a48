"""Lines of a stage that waits: at once when something is new, and often enough that GoCD does not end its job."""

import time
from collections.abc import Callable

# GoCD ends a job that prints nothing for the minutes of its `timeout`.
QUIET_SECONDS = 30.0


class Progress:
    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._last, self._at = "", clock()

    def tell(self, what: str, words: str) -> None:
        """Says `words` unless `what` was the same a moment ago."""
        now = self._clock()
        if what != self._last or now - self._at >= QUIET_SECONDS:
            self._say(words)
            self._last, self._at = what, now
