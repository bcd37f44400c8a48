"""Programs in which somebody else's model is loaded: limited, so that it may crash, hang or grow without harm.

usage: python -m services.delivery.limited PROGRAM [ARGUMENT ...], which takes this process' place
"""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from services.contract.errors import Refused

ROOT = Path(__file__).parents[2]
SECONDS = 120
MEMORY = 8 << 30
FILE_SIZE = 256 << 20
_NO_NEW_PRIVILEGES = 38
_PASSED_ON = ("PATH", "JAVA_HOME", "HOME", "LANG")


def run_limited(python: Path, arguments: Sequence[str]) -> str:
    """What the program printed to stdout. Raises Refused with its last word when it fails or takes too long."""
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "services.delivery.limited", str(python), *arguments],
            env={**known, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"expected answers within {SECONDS} s, found none: the model hangs") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Refused(f"{lines[-1]} (exit {done.returncode})")
    return done.stdout


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    if sys.platform == "linux":  # elsewhere the kernel refuses these two
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


if __name__ == "__main__":
    limit()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  the program that was asked for, without a shell
