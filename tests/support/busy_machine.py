"""A machine whose processors are busy with others, for tests of what must not be told by the clock."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

LOOPS = 4


@contextlib.contextmanager
def busy_processor() -> Iterator[None]:
    """This thread shares one processor with loops that never rest."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    with contextlib.ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, allowed)
        for _ in range(LOOPS):
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
