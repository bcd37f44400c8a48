"""One process at a time on a folder: a file lock that ends with its process, however that ends."""

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from services.contract.errors import Refused
from services.contract.process_identity import identity
from services.contract.waiting import retry

# A child of a holder that was killed has the lock too, until it becomes the program that it was made for.
CHILD_SECONDS = 5.0


Again = Callable[[Callable[[], None], float, tuple[type[Exception], ...]], None]


def lock(path: Path, what: str, advice: str, again: Again = retry) -> IO[str]:
    """Held until the file is closed or this process ends; meanwhile it says which process that is, and since when.

    Raises Refused while another process holds it: both follow `what` it is, and what to do is `advice`. The file
    is never removed, because two processes could then lock two files of one name. Source: flock(2).
    """
    file = path.open("a+", encoding="utf-8")
    try:
        again(lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB), _patience(file), (BlockingIOError,))
    except OSError as error:
        holder = _holder(file) or "unknown"
        file.close()
        expected = f"expected no other {what} on {path.parent}"
        raise Refused(f"{expected}, found the one of process {holder}: {advice}") from error
    file.truncate(0)
    file.write(f"{os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
    file.flush()
    return file


def _patience(file: IO[str]) -> float:
    """None with one that is alive."""
    number = _holder(file).partition(" ")[0]
    return CHILD_SECONDS if number.isdecimal() and identity(int(number)) is None else 0


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip()
