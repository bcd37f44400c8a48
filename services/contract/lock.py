"""One process at a time on a folder: a file lock that ends with its process, however that ends."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from services.contract.errors import Refused


def lock(path: Path, what: str, advice: str) -> IO[str]:
    """Held until the file is closed or this process ends; meanwhile it says which process that is, and since when.

    Raises Refused while another process holds it: both follow `what` it is, and what to do is `advice`. The file
    is never removed, because two processes could then lock two files of one name. Source: flock(2).
    """
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        expected = f"expected no other {what} on {path.parent}"
        raise Refused(f"{expected}, found the one of process {holder}: {advice}") from error
    file.truncate(0)
    file.write(f"{os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
    file.flush()
    return file
