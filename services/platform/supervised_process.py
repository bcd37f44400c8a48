"""A process of the platform, in a process group of its own: restarted when it ends, and ended with its group."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from services.contract.backoff import Backoff
from services.platform.service_definitions import ServiceDefinition

STOP_SECONDS = 7.0
_QUICK_DEATH_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 5.0


class SupervisedProcess:
    """Kept alive from `start` to `stop`, which ends every process group that it ever had."""

    def __init__(
        self,
        service: ServiceDefinition,
        environment: Mapping[str, str],
        log: Path,
        say: Callable[[str], None],
        on_start: Callable[[], None],
    ) -> None:
        self._service, self._environment, self._log = service, dict(environment), log
        self._say, self._on_start = say, on_start
        self._stopping = threading.Event()
        self._groups: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def groups(self) -> tuple[int, ...]:
        return tuple(self._groups)

    def start(self) -> None:
        """Returns at once: a thread starts the process, because a signal interrupts only the main thread."""
        threading.Thread(target=self._keep_alive, name=f"supervise-{self._service.name}", daemon=True).start()

    def ask_to_stop(self) -> None:
        """Sends SIGTERM and does not wait."""
        self._stopping.set()
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._process and self._process.poll() is None:
                self._process.terminate()

    def stop(self, deadline: float) -> None:
        """Waits for its end until `deadline` (in seconds of time.monotonic), then kills what is left of its groups."""
        self.ask_to_stop()
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, deadline - time.monotonic()))
        for group in self._groups:
            end_group(group)

    def _keep_alive(self) -> None:
        backoff = Backoff()
        while process := self._spawn():
            started = time.monotonic()
            code = process.wait()
            quick = time.monotonic() - started < _QUICK_DEATH_SECONDS
            if not quick:
                backoff.succeed()
            if self._stopping.wait(backoff.fail(_LONGEST_PAUSE_SECONDS) if quick else 0.0):
                return
            if not self._service.children_live_on:
                end_group(process.pid)
            self._say(f"{self._service.name} ended (exit {code}); starting it again, its log is {self._log}")

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._service.command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
            self._groups.append(self._process.pid)
            self._on_start()
            return self._process


def end_group(group: int) -> None:
    """Ends every process of a group that is still alive."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
