"""Runs a program that loads somebody else's model, with limits on processor time, memory and written bytes, and
without a network where the kernel allows that.

Processor time judges the model. The clock is a net below it, for what waits for ever, and judges nothing.

usage: python -m services.delivery.scoring.limited CPU_SECONDS MEMORY_BYTES PROGRAM [ARGUMENT ...], which takes this
process' place
"""

import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.contract.checkout import ROOT
from services.contract.errors import Refused, Undecided
from services.delivery.scoring.no_network import leave_network

FILE_SIZE = 256 << 20
# A JVM reserves addresses that it never uses: so they are limited more widely than what is held.
_LEAST_ADDRESSES = 8 << 30
# Above the budget, so that a model that is a little too large is measured and told by how much.
_HEADROOM_MEGABYTES = 1000
# More of what a program says is not looked at.
_TAIL = 4096
_DIES_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38
_PASSED_ON = ("PATH", "JAVA_HOME", "HOME", "LANG")
_OUT_OF_MEMORY = re.compile(r"MemoryError|bad_alloc|OutOfMemory|[Ii]nsufficient memory|Cannot allocate memory")


@dataclass(frozen=True)
class Limits:
    """Seconds of processor time of each of its processes, and by the clock of them all: fewer than a job of GoCD may
    be silent; and megabytes that each may hold."""

    cpu: int = 240
    clock: float = 480
    memory_megabytes: float = 4000

    @property
    def memory_bytes(self) -> int:
        return int((self.memory_megabytes + _HEADROOM_MEGABYTES) * 1e6)


DEFAULT = Limits()


def run_limited(python: Path, arguments: Sequence[str], limits: Limits = DEFAULT) -> str:
    """What the program printed to stdout. Raises Refused with its last word when it fails or takes too much, and
    Undecided when it is the machine that may have stopped it."""
    used = _cpu_of_children()
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Files, whose size is limited: a program could print without end, or leave a pipe open to a process of its own.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.delivery.scoring.limited", *_of(limits), str(python), *arguments],
            env={**known, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        if (status := _waited(process, limits.clock)) is None:
            raise Undecided(
                f"inconclusive: no answers within {limits.clock:g} s and {_cpu_of_children() - used:.1f} s of CPU: "
                "the machine is busy with others, or the model waits for something: run this stage again"
            )
        if status != 0:
            raise _refusal(status, _tail(err), limits)
        out.seek(0)
        return out.read().decode(errors="replace")


def _of(limits: Limits) -> list[str]:
    return [str(limits.cpu), str(limits.memory_bytes)]


def _waited(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    """Its exit status, None when it was ended by the clock. What it has left running is told to end."""
    late = threading.Event()

    def end_late() -> None:
        late.set()
        _end(process.pid, signal.SIGKILL)

    # A wait with a limit would look now and then, and notice the end late.
    clock = threading.Timer(seconds, end_late)
    clock.start()
    try:
        status = process.wait()
    finally:
        clock.cancel()
        _end(process.pid, signal.SIGTERM)
    return None if late.is_set() else status


def _end(group: int, by: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, by)


def _tail(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
    return file.read().decode(errors="replace").strip()


def _refusal(status: int, said: str, limits: Limits) -> Refused:
    if status == -signal.SIGXCPU:
        return Refused(f"expected answers within {limits.cpu} s of CPU, found none")
    if status == -signal.SIGKILL:
        return Undecided(
            "inconclusive: something killed the process, most likely the kernel for want of memory: "
            "run this stage again when less runs beside it"
        )
    last = (said.splitlines() or ["no message"])[-1]
    if _OUT_OF_MEMORY.search(said):
        return Refused(
            f"expected at most {limits.memory_megabytes:g} MB of memory, found that it asks for more: {last}"
        )
    return Refused(f"{last} ({f'exit {status}' if status > 0 else f'ended by {signal.Signals(-status).name}'})")


def _cpu_of_children() -> float:
    """Seconds of those that have ended and were waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    # Above the soft limit, whose signal says what happened, is one for a program that does not heed it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, 2 * cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere the kernel refuses these
        leave_network()
        addresses = max(_LEAST_ADDRESSES, 2 * memory_bytes)
        resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    limit(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606  the program that was asked for, without a shell
