"""Times of single rows: by the clock, and without the time in which the processors were busy with others."""

import math
from collections.abc import Callable, Sequence

from services.contract.record import Record

# Of a processor's time; less is the cost of looking at two clocks one after the other.
_NOTICED_MS = 0.1


class RowTime(Record):
    """Milliseconds of one row: `clock` passed, `thread` and `process` are processor time of who asked and of the whole
    process, `queued` is how long who asked was ready and waited for a processor; None where no kernel counts that.

    `paused` is whether who asked gave the processor up by itself, to sleep or to wait for something.
    """

    clock: float
    thread: float
    process: float
    queued: float | None
    paused: bool

    @property
    def most(self) -> float:
        """The row's own time at most: its pauses count, waiting for a processor does not.

        Without a pause all other time was taken away, also where no queue shows it: by the host of a virtual machine.
        """
        return self.clock - (self.queued or 0.0) if self.paused else self.thread

    @property
    def least(self) -> float:
        """Its own time at least: where the queue of all that worked for it is not known, pauses may be others'."""
        alone = self.process - self.thread <= _NOTICED_MS
        return self.most if alone and self.queued is not None else self.thread


class Round(Record):
    """Rows that were asked one at a time, one after the other."""

    rows: tuple[RowTime, ...]

    def percentile(self, share: float, of: Callable[[RowTime], float]) -> float:
        """By nearest rank: of 100 rows one may be above the 99th percentile."""
        ordered = sorted(map(of, self.rows))
        return ordered[math.ceil(len(ordered) * share) - 1]

    def p99(self, of: Callable[[RowTime], float]) -> float:
        return self.percentile(0.99, of)


def best(rounds: Sequence[Round]) -> Round:
    """The one in which others disturbed least."""
    return min(rounds, key=lambda one: one.p99(own))


def own(row: RowTime) -> float:
    return row.most


def by_clock(row: RowTime) -> float:
    return row.clock


def processor(row: RowTime) -> float:
    return row.process
