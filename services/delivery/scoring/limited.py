"""Runs a program that loads somebody else's model, with limits on processor time, memory and written bytes.

Processor time judges the model. The clock is a net below it, for what waits for ever, and judges nothing.

usage: python -m services.delivery.scoring.limited CPU_SECONDS PROGRAM [ARGUMENT ...], which takes this process' place
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contract.checkout import ROOT
from services.contract.errors import Refused, Undecided

MEMORY = 8 << 30
FILE_SIZE = 256 << 20
_NO_NEW_PRIVILEGES = 38
_PASSED_ON = ("PATH", "JAVA_HOME", "HOME", "LANG")


@dataclass(frozen=True)
class Seconds:
    """Of all its processors together, and by the clock: shorter than a job of GoCD may be silent."""

    cpu: int = 240
    clock: float = 480


def run_limited(python: Path, arguments: Sequence[str], seconds: Seconds = Seconds()) -> str:
    """What the program printed to stdout. Raises Refused with its last word when it fails or takes too much, and
    Undecided when it is the machine that may have stopped it."""
    used = _cpu_of_children()
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "services.delivery.scoring.limited", str(seconds.cpu), str(python), *arguments],
            env={**known, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=seconds.clock,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Undecided(
            f"inconclusive: no answers within {seconds.clock:g} s and {_cpu_of_children() - used:.1f} s of CPU: "
            "the machine is busy with others, or the model waits for something: run this stage again"
        ) from None
    if done.returncode != 0:
        raise _refusal(done, seconds)
    return done.stdout


def _refusal(done: subprocess.CompletedProcess[str], seconds: Seconds) -> Refused:
    if done.returncode == -signal.SIGXCPU:
        return Refused(f"expected answers within {seconds.cpu} s of CPU, found none")
    if done.returncode == -signal.SIGKILL:
        return Undecided(
            "inconclusive: something killed the process, most likely the kernel for want of memory: "
            "run this stage again when less runs beside it"
        )
    lines = done.stderr.strip().splitlines() or ["no message"]
    return Refused(f"{lines[-1]} (exit {done.returncode})")


def _cpu_of_children() -> float:
    """Seconds of those that have ended and were waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def limit(cpu_seconds: int) -> None:
    # Above the soft limit, whose signal says what happened, is one for a program that does not heed it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, 2 * cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    if sys.platform == "linux":  # elsewhere the kernel refuses these two
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


if __name__ == "__main__":
    limit(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  the program that was asked for, without a shell
