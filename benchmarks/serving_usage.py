"""What a server and the processes it started cost, as the kernel has counted it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Usage:
    """Seconds on a core, and seconds of waiting for one while there was something to do; `memory` in bytes is PSS:
    what processes share is counted once."""

    cpu: float
    waited: float
    memory: int = 0

    def since(self, before: "Usage") -> "Usage":
        return Usage(self.cpu - before.cpu, self.waited - before.waited, self.memory)


def family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def usage(pid: int, memory: bool = False) -> Usage:
    """Of the process, of all that it started, and the CPU of those of them that have ended."""
    processes = family(pid)
    pss = sum(_pss(one.pid) for one in processes) if memory else 0
    return Usage(sum(map(_cpu, processes)), sum(waited for one in processes for waited in _waits(one.pid)), pss)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _waits(pid: int) -> Iterator[float]:
    """Of each thread: the second number of its `schedstat`, in nanoseconds."""
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            yield int(file.read_text(encoding="ascii").split()[1]) / 1e9


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
