"""Exponential back-off: how long to wait before the next try, longer after every failure."""

import math
import time
from collections.abc import Callable

FIRST_SECONDS = 0.5
# Seconds that never go back.
Clock = Callable[[], float]


class Backoff:
    """The first pause has `first` seconds, each of the next ones `growth` times as many as the one before.

    `failures` counts them since the last success.
    """

    def __init__(self, first: float = FIRST_SECONDS, growth: float = 2.0, clock: Clock = time.monotonic) -> None:
        self._first, self._growth, self._clock = first, growth, clock
        self._pause, self._not_before = first, 0.0
        self.failures = 0

    @property
    def seconds_left(self) -> float:
        """Of the pause after the last failure."""
        return max(0.0, self._not_before - self._clock())

    def due(self) -> bool:
        """Whether the pause after the last failure is over."""
        return self._clock() >= self._not_before

    def succeed(self) -> None:
        """The next failure is a first one."""
        self._pause, self.failures = self._first, 0

    def fail(self, longest: float = math.inf) -> float:
        """The seconds to wait from now on, at most `longest`."""
        pause = min(self._pause, longest)
        self._not_before = self._clock() + pause
        self._pause = pause * self._growth
        self.failures += 1
        return pause
