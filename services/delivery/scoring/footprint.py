"""What this process and those that it started take, a JVM among them."""

import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from services.delivery.scoring.messages import Footprint
from services.delivery.scoring.no_network import is_offline

_PEAK = "VmHWM:"


def footprint() -> Footprint:
    """Without /proc, of this process alone."""
    if sys.platform != "linux":
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Footprint(cpu_seconds=time.process_time(), memory_bytes=memory, offline=is_offline())
    tree = list(_tree(os.getpid()))
    memory = sum(map(_peak_bytes, tree))
    return Footprint(cpu_seconds=sum(map(_cpu_seconds, tree)), memory_bytes=memory, offline=is_offline())


def _tree(process: int) -> Iterator[int]:
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in _read(task).split():
            yield from _tree(int(child))


def _peak_bytes(process: int) -> int:
    """Of the program that runs there now: `ru_maxrss` would be at least what its parent had held."""
    lines = _read(Path(f"/proc/{process}/status")).splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_PEAK))


def _cpu_seconds(process: int) -> float:
    """Its own, and that of what it has waited for. Source: proc(5), utime to cstime."""
    fields = _read(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    """Nothing of a process that has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
