"""Ends processes with all their descendants."""

import contextlib

import psutil

from services.contract.process_identity import is_same

GRACE_SECONDS = 2.0


def end_trees(processes: list[tuple[int, str | None]], grace: float = GRACE_SECONDS) -> None:
    """SIGTERM, and SIGKILL after `grace` seconds.

    `processes` are pairs of process id and noted identity; a process that has another identity by now is left alone.
    """
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
