"""A machine whose processors are busy with others, for tests of what must not be told by the clock."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from services.contract.stopwatch import QUEUE

LOOPS = 4
needs_queue = pytest.mark.skipif(
    not QUEUE.exists(), reason=f"this kernel has no {QUEUE}: it does not say how long a thread waits for a processor"
)


@contextlib.contextmanager
def busy_processor() -> Iterator[None]:
    """This thread shares one processor with loops that never rest."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    with contextlib.ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, allowed)
        stack.enter_context(_loops(LOOPS))
        yield


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Loops that never rest on every processor, more than one on each."""
    with _loops(2 * len(os.sched_getaffinity(0))):
        yield


@contextlib.contextmanager
def _loops(number: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            loop = subprocess.Popen(
                [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
            )
            stack.enter_context(loop)
            stack.callback(loop.kill)
            # Its first word, before which it rests.
            assert loop.stdout is not None
            loop.stdout.readline()
        yield


def burn(milliseconds: float) -> None:
    """Takes exactly so much of a processor, however long that is by the clock."""
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        pass
