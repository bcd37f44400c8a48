"""Tells a worker that hangs from one that is slow, or waits for a processor."""

from collections.abc import Callable
from pathlib import Path

from services.prediction.workers.pulse import Pulse

LOOK_SECONDS = 0.5
BEAT_SECONDS = 0.25
# Nothing that a worker does between two turns of its loop takes so long, but for the model on its rows.
HANG_SECONDS = 3.0
# The model may be so much slower on somebody's rows than on golden ones.
SLOWER = 4.0


class Watchdog:
    """`waited` tells how many seconds the worker was ready and waited for a processor since it was started."""

    def __init__(self, pulse: Pulse, waited: Callable[[], float]) -> None:
        self._pulse, self._waited = pulse, waited
        self._beats, self._queued, self._own = pulse.beats, waited(), 0.0

    @property
    def allowed(self) -> float:
        """The seconds of its own that a turn of its loop may take, with the rows that it has given to the model."""
        return HANG_SECONDS + SLOWER * self._pulse.rows * self._pulse.row_seconds

    def hangs(self, elapsed: float) -> bool:
        """To be asked every LOOK_SECONDS; `elapsed` since it was asked before.

        What counts is the time that was the worker's own. It had none of it while it waited for a processor, and
        nobody knows what it had of the time by which this question itself came late.
        """
        beats, queued = self._pulse.beats, self._waited()
        if beats != self._beats:
            self._own = 0.0
        else:
            self._own += max(0.0, min(elapsed, 2 * LOOK_SECONDS) - (queued - self._queued))
        self._beats, self._queued = beats, queued
        return self._own > self.allowed


def seconds_waited(pid: int) -> float:
    """By the main thread of a process, for a processor; 0 where no kernel counts that, or the process is gone.

    Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
