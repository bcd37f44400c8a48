"""One serving process: commanded over its control socket, known by its number and start, cleaned up at its end."""

import contextlib
import os
import select
import shutil
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Thread
from typing import Annotated, Self

import httpx
import psutil
from pydantic import BeforeValidator

from services.contract.control_protocol import Command, Split, Status, Verb, Workers, private_socket, workers_file
from services.contract.errors import Refused
from services.contract.process_identity import is_same
from services.contract.record import ModelName, Record, Sha256
from services.contract.waiting import NotInTime, wait_until
from services.rollout.analysis.figures import Figures, Seen
from services.rollout.checks import LOOK_SECONDS, replay_golden, wait_until_ready
from services.rollout.processes.control_client import send_command
from services.rollout.processes.listeners import Listeners
from services.rollout.processes.unix_socket import unix_socket_client
from services.rollout.release_store import StoredRelease
from services.rollout.serving import Unreachable

CLOSE_SECONDS = 5.0


class ProcessRecord(Record):
    """Written before the process may load, so that a crash of the service loses none."""

    model: ModelName
    release: Sha256
    pid: int
    # A number in records of earlier versions, which names no process now.
    started: Annotated[str, BeforeValidator(str)]


class ServingProcess:
    """A Serving: the parent of its workers. `control` names its files: the control socket, and beside it `.log`,
    `.json`, `.workers` and for each worker `.<number>.http`.
    """

    def __init__(
        self,
        record: ProcessRecord,
        control: Path,
        listeners: Listeners,
        load_seconds: float,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self._record = record
        self._control = control
        self._listeners = listeners
        self._load_seconds = load_seconds
        self._child = child

    @property
    def model(self) -> str:
        return self._record.model

    @property
    def release(self) -> str:
        return self._record.release

    @property
    def name(self) -> str:
        return self._control.name

    def alive(self) -> bool:
        if self._child and self._child.poll() is not None:
            return False
        return self._process() is not None

    def reachable(self) -> bool:
        # The socket that it accepts on stays with its process, which starts its workers again.
        workers = self.workers()
        return workers is None or workers.ready > 0

    def workers(self) -> Workers | None:
        # A file, because whoever asks for the state of a model must not wait for this process.
        with contextlib.suppress(Refused):
            return Workers.read(workers_file(self._control))
        return None

    def complete(self) -> bool:
        return True

    def drop_ended(self) -> None:
        """There is one process, or none: clients wait in the queue of its socket until the next."""

    def add(self, spare: Self) -> None:
        raise Refused(f"expected one process of {self.model}, which is whole, found another: {spare.release[:12]}…")

    def wait_end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self._record.pid)
            try:
                select.select([descriptor], [], [])
            finally:
                os.close(descriptor)

    def wait_ready(self) -> None:
        wait_until_ready(self._answers, self.release, self._load_seconds)

    def check(self, release: StoredRelease) -> None:
        for path in self._private_sockets():
            replay_golden(unix_socket_client(path), release)

    def go(self) -> None:
        try:
            send_command(self._control, Command(verb=Verb.GO), self._listeners.listen(self.model))
        except Refused as refusal:
            if self.alive() and not self.reachable():
                raise Unreachable(str(refusal)) from refusal
            raise

    def drain(self) -> None:
        self._ask(Verb.DRAIN)

    def targets(self) -> tuple[str, ...]:
        # Serving processes work in the folder of these sockets, and a unix socket's address is short.
        return tuple(path.name for path in self._private_sockets())

    def hand_on(self, split: Split | None) -> None:
        send_command(self._control, Command(verb=Verb.SPLIT, split=split))

    def seen(self) -> Seen:
        try:
            with self.private(LOOK_SECONDS) as client:
                figures = Figures.parse(client.get("/metrics").raise_for_status().text)
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise Refused(f"expected release {self.release[:12]}… to tell its metrics, found {error!r}") from error
        workers = self.workers()
        return Seen(figures, self._resident_bytes(), workers.ended if workers else 0)

    def private(self, seconds: float) -> AbstractContextManager[httpx.Client]:
        """Asks a worker of it, which tells the figures of all. Raises OSError when it is no more."""
        return unix_socket_client(self._private_sockets()[0], seconds)

    def give_listener(self) -> None:
        """Adopts the socket that it accepts on, after a restart of the rollout service."""
        if listener := send_command(self._control, Command(verb=Verb.LISTENER))[1]:
            self._listeners.adopt(self.model, listener)

    def retire(self, grace: float) -> None:
        try:
            self._ask(Verb.STOP, grace)
        except Refused:
            self.kill()
            return
        Thread(target=self.stop_and_clean_up, args=(grace + CLOSE_SECONDS,), daemon=True).start()

    def kill(self) -> None:
        self.stop_and_clean_up(0.0)

    def terminate(self) -> None:
        if process := self._process():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    def stop_and_clean_up(self, seconds: float) -> None:
        """Waits up to `seconds` for its end, then forces it; removes its files."""
        with contextlib.suppress(NotInTime):
            wait_until(lambda: not self.alive(), f"process {self._record.pid} to end", seconds)
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._child:
            self._child.wait()
        for path in self._control.parent.glob(f"{self._control.name}*"):
            remove(path)

    def _private_sockets(self) -> list[Path]:
        workers = self.workers()
        return [private_socket(self._control, number) for number in range(workers.wanted if workers else 1)]

    def _resident_bytes(self) -> int:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process := self._process():
                return sum(int(one.memory_info().rss) for one in (process, *process.children()))
        return 0

    def _family(self) -> list[psutil.Process]:
        """The process and its workers, also those that it has left behind: they have its command line."""
        ours = ["--control", self._control.name]
        return [one for one in psutil.process_iter(["cmdline"]) if ours == _after(one.info["cmdline"] or [], ours[0])]

    def _last_line(self) -> str:
        with contextlib.suppress(OSError):
            if lines := beside(self._control, "log").read_text(errors="replace").split("\n")[:-1]:
                return lines[-1]
        return f"it said nothing, its exit status is {self._child.returncode if self._child else 'unknown'}"

    def _answers(self) -> bool:
        """Raises Refused when it ended."""
        # The control socket appears when everything is loaded and tested.
        with contextlib.suppress(Refused):
            if self._control.exists():
                return bool(self._ask(Verb.STATUS))
        if not self.alive():
            raise Refused(f"release {self.release[:12]}… ended while loading: {self._last_line()}")
        return False

    def _ask(self, verb: Verb, grace: float = 0.0) -> Status:
        return send_command(self._control, Command(verb=verb, grace=grace))[0]

    def _process(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._record.pid)
            ours = is_same(process.pid, self._record.started)
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        return None


def _after(words: list[str], option: str) -> list[str]:
    """The option with its value."""
    place = words.index(option) if option in words else len(words)
    return words[place : place + 2]


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def beside(control: Path, ending: str) -> Path:
    return control.with_suffix(f".{ending}")
