"""One worker as its parent sees it: a place, the process that is in it now, and how the ones before have ended."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from services.contract.backoff import Backoff
from services.contract.control_protocol import Command
from services.prediction.workers.channel import Channel
from services.prediction.workers.place import Place
from services.prediction.workers.pulse import Pulse
from services.prediction.workers.watchdog import Watchdog, seconds_waited

# One that has lived for so long has not ended because it cannot live.
CALM_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 15.0
HUNG = "hung: its event loop did not come round, in time that was its own"
NEVER_READY = "hung: it did not prove itself, in time that was its own"

Work = Callable[[Place, Channel], int]
Fork = Callable[[Callable[[], int]], int]


class ProcessEnd:
    """Becomes readable when a process ends."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


class WorkerProcess:
    """`told` and `answered` count commands; it is `ready` once it has proved itself."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel
        self.end = ProcessEnd(pid)
        self.ready = self.hung = False
        self.told = self.answered = 0
        self.began = time.monotonic()

    def tell(self, command: Command, passed: socket.socket | None = None) -> None:
        # One that has just ended, or hangs, is replaced, and its successor told.
        with contextlib.suppress(OSError):
            self.channel.send(command, passed)
            self.told += 1

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> str:
        """Why it ended, in words; it has ended."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.channel.close()
        self.end.close()
        if self.hung:
            return HUNG if self.ready else NEVER_READY
        return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


class Worker:
    def __init__(self, place: Place, pulse: Pulse) -> None:
        self.place = place
        self.process: WorkerProcess | None = None
        self.ended, self.reason, self.last_end = 0, "", 0.0
        self._pulse = pulse
        self._watchdog: Watchdog | None = None
        self._backoff, self._due = Backoff(), 0.0

    @property
    def ready(self) -> bool:
        return self.process is not None and self.process.ready

    @property
    def connections(self) -> int:
        return self._pulse.connections

    @property
    def missing_seconds(self) -> float | None:
        """Until the next process is started in its place; None while there is one."""
        return None if self.process else max(0.0, self._due - time.monotonic())

    @property
    def next_try(self) -> datetime | None:
        seconds = self.missing_seconds
        return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)

    def start(self, fork: Fork, work: Work) -> WorkerProcess:
        """`fork` runs what it is given in a process of its own, whose number it returns."""
        self._pulse.clear()
        ours, theirs = Channel.pair()

        def run() -> int:
            ours.close()
            return work(self.place, theirs)

        self.process = WorkerProcess(fork(run), ours)
        theirs.close()
        self._watchdog = self._watchdog_of(self.process, is_starting=True)
        return self.process

    def watch(self, process: WorkerProcess) -> None:
        """It has proved itself."""
        process.ready = True
        self._watchdog = self._watchdog_of(process)

    def kill_if_it_hangs(self, elapsed: float) -> None:
        if self.process and self._watchdog and self._watchdog.hangs(elapsed):
            self.process.hung = True
            self.process.kill()

    def bury(self, process: WorkerProcess) -> None:
        """Its end was seen; the next one is due at once, or after a pause that grows when it did not live long."""
        reason = process.reap()
        self.process, self._watchdog = None, None
        self._pulse.clear()
        self.ended, self.reason = self.ended + 1, f"worker {self.place.number} (process {process.pid}) {reason}"
        self.last_end = time.monotonic()
        lived = self.last_end - process.began
        if lived >= CALM_SECONDS:
            self._backoff.succeed()
        pause = 0.0 if lived >= CALM_SECONDS else self._backoff.fail(LONGEST_PAUSE_SECONDS)
        self._due = self.last_end + pause

    def _watchdog_of(self, process: WorkerProcess, is_starting: bool = False) -> Watchdog:
        return Watchdog(self._pulse, partial(seconds_waited, process.pid), is_starting)
