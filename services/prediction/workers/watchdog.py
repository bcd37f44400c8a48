"""Tells a worker that hangs from one that is slow, or waits for a processor."""

from collections.abc import Callable
from pathlib import Path

from services.prediction.workers.pulse import Pulse

LOOK_SECONDS = 0.5
BEAT_SECONDS = 0.25
# Between two turns of its loop nothing that a worker does takes so long, but a large body and the model on its rows.
HANG_SECONDS = 2.0
# Of a body, however slowly its form is read.
BYTE_SECONDS = 5e-7
# Of its own time until a worker has proved itself, also where it loads: a net for what would never come.
START_SECONDS = 120.0
# The model may be so much slower on somebody's rows than on golden ones.
SLOWER = 4.0


class Watchdog:
    """`waited` tells how many seconds the worker was ready and waited for a processor since it was started. One that
    `is_starting` has no event loop yet.
    """

    def __init__(self, pulse: Pulse, waited: Callable[[], float], is_starting: bool = False) -> None:
        self._pulse, self._waited, self._is_starting = pulse, waited, is_starting
        self._beats, self._queued, self._own = pulse.beats, waited(), 0.0

    @property
    def allowed(self) -> float:
        """The seconds of its own that a turn of its loop may take, with a body and the rows for the model."""
        if self._is_starting:
            return START_SECONDS
        return HANG_SECONDS + self._pulse.body_seconds + SLOWER * self._pulse.rows * self._pulse.row_seconds

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
