"""Where a release is loaded: once by the parent, which the workers then share, or by each worker for itself."""

import os
from collections.abc import Sequence
from pathlib import Path

from services.contract.errors import Refused
from services.contract.release import ServingLimits

# Forms that answer in a fork of the process that loaded them, with the threads that their library leaves running and
# no answer needs. Measured; tests/unit/prediction/test_forked_runtimes.py holds it.
SHARED = {"onnx": 1, "fasttext": 0, "sklearn": 0}
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def can_be_shared(runtime: str) -> bool:
    return runtime in SHARED


def threads_lost(runtime: str) -> int:
    """How many threads of this process, which has loaded, a fork would lack and may wait for."""
    return max(0, len(os.listdir("/proc/self/task")) - 1 - SHARED[runtime])


def worker_count(limits: ServingLimits) -> int:
    return cores() if limits.workers == "auto" else limits.workers


def cores(quota: Path = _QUOTA) -> int:
    """Those that this process may use, at least one. Source: cgroup v2, cpu.max."""
    here = len(os.sched_getaffinity(0))
    try:
        share, period = quota.read_text().split()
    except (OSError, ValueError):
        return here
    return here if share == "max" else max(1, min(here, int(share) // int(period)))


def load_each_again(command: Sequence[str]) -> None:
    """Becomes the same program anew, in which each worker loads: what has threads cannot be forked. Never returns."""
    try:
        os.execv(command[0], list(command))  # noqa: S606  the same program
    except OSError as error:
        raise Refused(f"expected to start {command[0]} again, found {error.strerror}") from error
