"""Ends processes with all their descendants, and only those that are still the ones that were meant."""

import contextlib

import psutil

GRACE_SECONDS = 2.0


def start_time(pid: int) -> float | None:
    """None when it is gone; with the pid it names a process for ever."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def end_trees(processes: list[tuple[int, float | None]], grace: float = GRACE_SECONDS) -> None:
    """SIGTERM, then SIGKILL to what is left. A process that began at another time than noted is not touched."""
    trees = [member for pid, started in processes for member in _tree(pid, started)]
    for member in trees:
        with contextlib.suppress(psutil.Error):
            member.terminate()
    _, left = psutil.wait_procs(trees, timeout=grace)
    for member in left:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _tree(pid: int, started: float | None) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        if started is not None and process.create_time() != started:
            return []
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []
