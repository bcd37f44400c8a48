"""Keeps a second server away from the same state, and says who holds it."""

from pathlib import Path
from typing import IO

from services.contract.lock import lock


def lock_state(state: Path) -> IO[str]:
    """Creates the folder, readable by its owner only; the lock ends with the process. Raises Refused."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return lock(state / "lock", "CI server", "stop that server first")
