"""Answers a file of rows with the checks and answers of HTTP requests, and measures time and memory."""

import contextlib
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from services.contract.answers import Answers
from services.contract.asking import predict_classes, predict_each, step_of, time_each
from services.contract.errors import Refused
from services.contract.prediction import Prediction
from services.contract.process_identity import start_ticks, ticks_a_second
from services.prediction.invalid import Invalid
from services.prediction.predictor import Predictor

Rows = Sequence[Sequence[Any]]
_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def nothing_printed() -> Iterator[None]:
    """What a model or a library of it prints goes to stderr meanwhile: stdout is for the answers."""
    sys.stdout.flush()
    stdout = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(stdout, _STDOUT)
        os.close(stdout)


def answer_file(predictor: Predictor, path: Path, limit_ms: float = math.inf) -> Answers:
    """`path` holds a JSON list of rows, each a list of the inputs in order, null or NaN for one left out.

    The answers of a classifier hold the probabilities of all classes, of a large file in rows spread evenly over it.
    Single rows are timed until their 99th percentile is within `limit_ms`, a few times at most.
    """
    # Before the rows are read, because a service never holds so many.
    ready_seconds, memory_bytes = seconds_since_start(), resident_bytes()
    rows, size = read_rows(path), predictor.manifest.limits.max_rows
    plain, all_classes = (partial(_in_parts, ask, size=size) for ask in (predictor.ask, predictor.ask_all))
    step = step_of(len(rows), len(predictor.manifest.classes))
    return Answers(
        predictions=tuple(predict_classes(plain, all_classes, rows, step)),
        rounds=time_each(predictor.ask, rows, Invalid, limit_ms),
        ready_seconds=ready_seconds,
        memory_bytes=memory_bytes,
    )


def _in_parts(ask: Callable[[Rows], list[Prediction]], rows: Rows, size: int) -> list[Prediction | None]:
    parts = (predict_each(ask, rows[start : start + size], Invalid) for start in range(0, len(rows), size))
    return [answer for part in parts for answer in part]


def read_rows(path: Path) -> Rows:
    """NaN becomes None. Raises Refused for what is no list of rows."""
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{path}: expected a JSON list of rows, cannot read it: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refused(f"{path}: expected a JSON list of rows, each a list of values, found something else")
    return [[None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in rows]


def seconds_since_start() -> float:
    """Since the kernel made this process, to a hundredth; without /proc, the processor time that it took so far."""
    if sys.platform != "linux":
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - (start_ticks(os.getpid()) or 0) / ticks_a_second()


def resident_bytes() -> int:
    """Now; without /proc, the most that it ever was."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
