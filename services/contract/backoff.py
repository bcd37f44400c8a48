"""Exponential back-off: how long to wait before the next try, longer after every failure."""

import math
import time

FIRST_SECONDS = 0.5


class Backoff:
    """The first pause has `first` seconds, each of the next ones `growth` times as many as the one before."""

    def __init__(self, first: float = FIRST_SECONDS, growth: float = 2.0) -> None:
        self._first, self._growth = first, growth
        self._pause, self._not_before = first, 0.0

    def due(self) -> bool:
        """Whether the pause after the last failure is over."""
        return time.monotonic() >= self._not_before

    def succeed(self) -> None:
        """The next failure is a first one."""
        self._pause = self._first

    def fail(self, longest: float = math.inf) -> float:
        """The seconds to wait from now on, at most `longest`."""
        pause = min(self._pause, longest)
        self._not_before = time.monotonic() + pause
        self._pause = pause * self._growth
        return pause
