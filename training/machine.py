"""The machine that a run is trained on, the memory that the training takes, and its processes."""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

import psutil

from services.contract.candidate import Machine

_PROC = Path("/proc")
_SECONDS_TO_END = 5


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


def end_children() -> None:
    """Ends the processes that this one started, such as a JVM that is still starting and hears of no closed pipe."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    _, left = psutil.wait_procs(children, _SECONDS_TO_END)
    for child in left:
        with suppress(psutil.NoSuchProcess):
            child.kill()
