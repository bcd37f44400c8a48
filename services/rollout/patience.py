"""How long to wait before the next try: after every failure twice as long."""

import time

FIRST_PAUSE_SECONDS = 0.5


class Patience:
    def __init__(self) -> None:
        self._pause, self._not_before = FIRST_PAUSE_SECONDS, 0.0

    def over(self) -> bool:
        return time.monotonic() >= self._not_before

    def succeed(self) -> None:
        self._pause = FIRST_PAUSE_SECONDS

    def fail(self, longest: float) -> None:
        self._pause = min(self._pause, longest)
        self._not_before = time.monotonic() + self._pause
        self._pause *= 2
