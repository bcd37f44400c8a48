"""Keeps a second server away from the same state, and says who holds it."""

import fcntl
import os
from pathlib import Path
from typing import IO

from services.contract.errors import Refused


def lock_state(state: Path) -> IO[str]:
    """Creates the folder, readable by its owner only; the lock ends with the process. Raises Refused."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (state / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Refused(
            f"{state}: expected a state folder of our own, found it in use by process {holder}: stop that server first"
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
