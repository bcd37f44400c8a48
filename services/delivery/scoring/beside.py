"""Work in a thread, while the verb waits for a child process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")


def beside(work: Callable[[], Found]) -> Callable[[], Found]:
    """Begins it at once; what is returned waits for its end, and gives or raises what the work did."""
    return ThreadPoolExecutor(1, thread_name_prefix="beside").submit(work).result
