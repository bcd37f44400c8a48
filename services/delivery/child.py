"""The child process in which a candidate is loaded for the first time: it may crash, hang or grow without harm."""

import ctypes
import gc
import importlib
import json
import resource
import sys
import time
from pathlib import Path

from services.contract.errors import Refused

TIMED_ROWS = 100
_CPU_SECONDS = 60
_MEMORY = 8 << 30
_FILE_SIZE = 256 << 20
_NO_NEW_PRIVILEGES = 38


def main(library: str, folder: Path, questions: Path, answers: Path) -> None:
    """Answers every row, then some of them one at a time with a clock."""
    _limit()
    flavor = importlib.import_module(f"services.delivery.flavors.{library}")
    model = flavor.load(folder)
    rows = json.loads(questions.read_text())
    predictions = flavor.predict(model, rows)
    latency_ms = []
    for row in rows[:TIMED_ROWS]:
        started = time.perf_counter()
        flavor.predict(model, [row])
        latency_ms.append((time.perf_counter() - started) * 1000)
    answers.write_text(json.dumps({"predictions": predictions, "latency_ms": latency_ms}))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_SIZE, _FILE_SIZE))
    if sys.platform == "linux":  # elsewhere the kernel refuses these two
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


if __name__ == "__main__":
    gc.disable()
    try:
        main(sys.argv[1], *(Path(argument) for argument in sys.argv[2:5]))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
    finally:
        gc.freeze()
