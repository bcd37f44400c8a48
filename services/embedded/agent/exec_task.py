"""An exec task: runs one command and writes its output to the console line by line, as it comes."""

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.embedded.agent.console import ERR, OUT, Console
from services.embedded.agent.process_trees import end_trees
from services.embedded.pipelines.pipeline_config import Exec

# A background process of the task may hold its output open for ever, so the end of the output is awaited this long.
OUTPUT_SECONDS = 5.0


class Interrupted(Exception):
    """The server stops and ended the task; the job has no result."""


@dataclass(frozen=True)
class Outcome:
    """`exit_code` is None when the command could not be started, or was cancelled."""

    passed: bool
    exit_code: int | None = None
    cancelled: bool = False


def describe(task: Exec) -> str:
    return " ".join([task.command, *(_quoted(argument) for argument in task.arguments)])


def _quoted(argument: str) -> str:
    plain = argument and not any(character in argument for character in " \t\"'")
    return argument if plain else '"' + argument.replace('"', '\\"') + '"'


class ExecRunner:
    def __init__(
        self,
        console: Console,
        environment: Mapping[str, str],
        on_process: Callable[[int], None],
        stopping: threading.Event,
        niceness: int = 0,
    ) -> None:
        """`on_process` gets the process id right after the start; `stopping` is set when the server stops.

        A command with `niceness`, and all that it starts, leaves the machine to what has less of it, as nice(1).
        """
        self._console = console
        self._environment = environment
        self._on_process = on_process
        self._stopping = stopping
        self._niceness = niceness

    def run(self, task: Exec, folder: Path, idle_seconds: float | None) -> Outcome:
        """Ends the command once it has printed nothing for `idle_seconds`. Raises Interrupted."""
        self._raise_if_stopping()
        try:
            process = self._start(task, folder)
        except (OSError, ValueError) as error:
            self._console.line(ERR, f"Error happened while attempting to execute '{describe(task)}'. {error}")
            self._console.line(ERR, f"Please make sure [{task.command}] can be executed on this agent.")
            return Outcome(passed=False)
        if self._niceness:
            _renice(process.pid, self._niceness)
        self._on_process(process.pid)
        readers = [self._read(process.stdout, OUT), self._read(process.stderr, ERR)]
        watch = _IdleWatch(process.pid, self._console, idle_seconds)
        code = process.wait()
        watch.end()
        for reader in readers:
            reader.join(OUTPUT_SECONDS)
        self._raise_if_stopping()
        return Outcome(False, cancelled=True) if watch.fired else Outcome(code == 0, code)

    def _raise_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise Interrupted

    def _start(self, task: Exec, folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [task.command, *task.arguments],
            cwd=folder / task.working_directory,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _read(self, stream: IO[bytes] | None, tag: str) -> threading.Thread:
        def carry() -> None:
            if stream:
                with stream:
                    for line in stream:
                        self._console.line(tag, line.decode(errors="replace").rstrip("\r\n"))

        reader = threading.Thread(target=carry, daemon=True)
        reader.start()
        return reader


def _renice(pid: int, niceness: int) -> None:
    with suppress(OSError):  # it has ended already, or this server is nicer itself
        os.setpriority(os.PRIO_PROCESS, pid, niceness)


class _IdleWatch:
    """Ends a process tree when nothing was written to the console for `idle_seconds`; None or 0 is never."""

    def __init__(self, pid: int, console: Console, idle_seconds: float | None) -> None:
        self.fired = False
        self._done = threading.Event()
        self._pid, self._console = pid, console
        if idle_seconds:
            threading.Thread(target=self._watch, args=(idle_seconds,), daemon=True).start()

    def _watch(self, limit: float) -> None:
        while not self._done.wait(max(limit - self._console.idle_seconds, 0.01)):
            if self._console.idle_seconds >= limit:
                self.fired = True
                end_trees([(self._pid, None)])
                return

    def end(self) -> None:
        self._done.set()
