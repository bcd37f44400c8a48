"""Ends processes with all their descendants, and only those that are still the ones that were meant."""

import contextlib

import psutil

from services.contract.process_identity import is_same

GRACE_SECONDS = 2.0


def end_trees(processes: list[tuple[int, str | None]], grace: float = GRACE_SECONDS) -> None:
    """SIGTERM, then SIGKILL to what is left. A process of another identity than noted is not touched."""
    trees = [member for pid, noted in processes for member in _tree(pid, noted)]
    for member in trees:
        with contextlib.suppress(psutil.Error):
            member.terminate()
    _, left = psutil.wait_procs(trees, timeout=grace)
    for member in left:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _tree(pid: int, noted: str | None) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        if noted is not None and not is_same(pid, noted):
            return []
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []
