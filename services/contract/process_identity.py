"""Which process a number means: numbers are used again, and a start time by the clock moves when the clock is set."""

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START = 19  # proc(5): field 22 of stat, counted behind the name, which may hold blanks and brackets


def start_ticks(pid: int) -> int | None:
    """Clock ticks from the machine's start to that of the process, which no clock can change; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[_START])


def identity(pid: int) -> str | None:
    """With the number it names a process for ever, across restarts of the machine; None when it is gone."""
    ticks = start_ticks(pid)
    return None if ticks is None else f"{_BOOT.read_text().strip()}/{ticks}"


def is_same(pid: int, noted: str) -> bool:
    """Whether the process that had this identity is still there, be it only as a zombie."""
    return identity(pid) == noted


def ticks_a_second() -> int:
    return os.sysconf("SC_CLK_TCK")
