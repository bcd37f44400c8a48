"""What a service in a container tells of all its processes together, which nobody outside can look at as quickly."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from services.contract.control_protocol import Workers, workers_file
from services.contract.errors import Refused

_PROCESSES = Path("/proc")


class Whole(NamedTuple):
    """Workers that ended or hung, as their parent says, and resident bytes."""

    ended_workers: int
    resident_bytes: int

    @classmethod
    def of(cls, control: Path, processes: Path = _PROCESSES) -> Self | None:
        """None while the parent has said nothing."""
        with suppress(Refused):
            return cls(Workers.read(workers_file(control)).ended, sum(map(_resident, processes.glob("[0-9]*"))))
        return None


def _resident(process: Path) -> int:
    # It may have ended meanwhile.
    with suppress(OSError):
        return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return 0
