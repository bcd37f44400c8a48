"""A server that `benchmarks/serving` measures, from its start to the end of all its processes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from benchmarks.load_client import JSON, Question
from benchmarks.serving_peers import HOST, Peer, Place, variables
from benchmarks.serving_subjects import Served
from benchmarks.serving_usage import Usage, family, usage
from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.waiting import wait_until

START_SECONDS, END_SECONDS = 180.0, 10.0
_ANSWER_SECONDS = 60.0
_PAUSE = 0.01


@dataclass(frozen=True)
class Server:
    """`cold_start` is the seconds from its start to the first answer, `first` the usage then and `answer` its body."""

    peer: Peer
    served: Served
    place: Place
    pid: int
    cold_start: float
    first: Usage
    answer: bytes

    def usage(self, memory: bool = False) -> Usage:
        return usage(self.pid, memory)

    def question(self, rows: int) -> Question:
        url = f"http://{HOST}:{self.place.port}{self.peer.path.format(model=self.served.model)}"
        return Question.post(url, self.peer.encode(self.served, rows))


@contextmanager
def running(peer: Peer, served: Served, place: Place) -> Iterator[Server]:
    """Raises Refused, with the last line that it has printed, when it does not answer."""
    place.folder.mkdir(parents=True, exist_ok=True)
    command = peer.command(served, place)
    log = place.folder / "log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables(served, place), "PYTHONPATH": str(ROOT)},
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        answer = _first_answer(peer, served, place, process)
        took = time.monotonic() - began
        first = usage(process.pid, memory=True)
        yield Server(peer, served, place, process.pid, took, first, answer)
    finally:
        _end(process)


def _first_answer(peer: Peer, served: Served, place: Place, process: "subprocess.Popen[bytes]") -> bytes:
    body, path = peer.encode(served, 1), peer.path.format(model=served.model)
    said = [f"nothing at port {place.port}"]

    def found() -> str:
        return f"found {said[-1]}; its last words: {_last_line(place.folder / 'log')}"

    def answered() -> bytes | None:
        if process.poll() is not None:
            raise Refused(f"{peer.name}: expected an answer, it ended: {_last_line(place.folder / 'log')}")
        status, answer = _asked(place.port, path, body)
        if status:
            said.append(f"status {status}: {answer[:200].decode(errors='replace')}")
        return answer if status == 200 else None

    return wait_until(answered, f"an answer of {peer.name}", START_SECONDS, found=found, pause=_PAUSE) or b""


def _asked(port: int, path: str, body: bytes) -> tuple[int, bytes]:
    """Its status and body; 0 while nobody answers."""
    connection = HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": JSON})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " ".join((lines or ["nothing"])[-1].split())[:200]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """All that it has started ends with it, also what has left its session."""
    processes = family(process.pid)
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    psutil.wait_procs(processes, END_SECONDS)
