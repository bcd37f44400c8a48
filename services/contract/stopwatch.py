"""Times rows so that a busy machine cannot make them slow: several rounds, and the queue for a processor apart."""

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from services.contract.row_times import Round, RowTime, own

TIMED_ROWS = 100
ROUNDS = 5
# A round that cannot pass any more is cut short after so long: how much is measured, never what is found.
LOST_ROUND_SECONDS = 1.0
QUEUE = Path("/proc/thread-self/schedstat")
Row = TypeVar("Row")
Queue = Callable[[], int | None]


def time_rows(ask: Callable[[Row], object], rows: Sequence[Row], limit_ms: float) -> tuple[Round, ...]:
    """Asks the first rows one at a time, until a round is within the limit or all rounds are done; no row, no round."""
    rounds: list[Round] = []
    with queue_of_this_thread() as queue:
        while rows and len(rounds) < ROUNDS:
            rounds.append(_round(lambda row: _timed(ask, row, queue), rows[:TIMED_ROWS], limit_ms))
            if rounds[-1].p99(own) <= limit_ms:
                break
    return tuple(rounds)


@contextlib.contextmanager
def queue_of_this_thread(path: Path = QUEUE) -> Iterator[Queue]:
    """Tells how many nanoseconds this thread was ready and waited for a processor; None where no kernel counts that.

    Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield lambda: None
        return
    try:
        yield lambda: _waited(os.pread(descriptor, 100, 0))
    finally:
        os.close(descriptor)


def _waited(schedstat: bytes) -> int | None:
    """A kernel that does not count says that this thread never had a processor."""
    _, waited, turns = map(int, schedstat.split())
    return waited if turns else None


def _round(timed: Callable[[Row], RowTime], rows: Sequence[Row], limit_ms: float) -> Round:
    taken: list[RowTime] = []
    began, slow = time.monotonic(), 0
    for row in rows:
        taken.append(timed(row))
        slow += own(taken[-1]) > limit_ms
        if slow > len(rows) // 100 and time.monotonic() - began > LOST_ROUND_SECONDS:
            break
    return Round(rows=tuple(taken))


def _timed(ask: Callable[[Row], object], row: Row, queue: Queue) -> RowTime:
    """The clock is looked at first and last, so that a wait between two looks counts as the row's own, not as less."""
    pauses = _pauses()
    clock, process, thread, queued = time.perf_counter_ns(), time.process_time_ns(), time.thread_time_ns(), queue()
    ask(row)
    waited, of_thread, of_process = queue(), time.thread_time_ns(), time.process_time_ns()
    return RowTime(
        clock=_ms(time.perf_counter_ns() - clock),
        thread=_ms(of_thread - thread),
        process=_ms(of_process - process),
        queued=None if waited is None or queued is None else _ms(waited - queued),
        paused=_pauses() > pauses,
    )


def _pauses() -> int:
    """How often this thread gave its processor up by itself. Source: getrusage(2), ru_nvcsw."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _ms(nanoseconds: int) -> float:
    return nanoseconds / 1e6
