"""The machine that a run is trained on, and the memory that the training takes."""

import os
import platform
import re
from pathlib import Path

import psutil

from services.contract.candidate import Machine

_PROC = Path("/proc")


def machine() -> Machine:
    return Machine(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=platform.platform(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
    )


def _processor() -> str:
    named = re.search(r"^model name\s*:\s*(.+)$", (_PROC / "cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def peak_memory_bytes() -> int:
    """Bytes: the sum of the peak resident memory of this process and of its living children, such as a JVM.

    Their peaks may have been at different times, so the sum is never too low. Source: VmHWM in proc(5).
    """
    processes = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
    return sum(_high_water_mark(_PROC / str(pid) / "status") for pid in processes)


def _high_water_mark(status: Path) -> int:
    try:
        text = status.read_text()
    except OSError:  # it ended meanwhile
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
