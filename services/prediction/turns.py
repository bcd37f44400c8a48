"""Work on many rows in parts, between which the event loop has its turn: health and small requests wait for one."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

# Of CPU, which a part may take: the next one is as large as this one's speed allows.
PART_SECONDS = 0.005
# Of a body that is read at once; what is larger is read where others have their turn meanwhile.
SMALL_BYTES = 32 << 10
FIRST, LEAST, MOST = 100, 10, 2000


Read = Callable[..., Coroutine[Any, Any, Any]]


class Turns:
    """Large requests one at a time, so that all of them together block no longer than one part of one."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def large(self) -> AsyncIterator[None]:
        """For a request with so much in it that Python's collector of garbage is in the way.

        To look through 100,000 rows for garbage takes 100 ms, in which nothing else goes on, and finds none. The rows
        must be gone when this ends.
        """
        async with self._one:
            gc.disable()
            try:
                yield
            finally:
                gc.enable()

    @asynccontextmanager
    async def reading(self, body: bytes, rows: int = 0) -> AsyncIterator[Read]:
        """Gives what calls a reader of the body: at once, or for a large one in a thread, by the rules of `large`.

        A few bytes that are compressed say how many `rows` they are.
        """
        if len(body) <= SMALL_BYTES and rows <= FIRST:
            yield _at_once
            return
        async with self.large():
            # Parsers and checks let other threads go on in between.
            yield asyncio.to_thread

    async def each(self, work: Callable[[Any], Sequence[Any]], items: Sequence[Any]) -> list[Any]:
        """What `work` makes of all items, in order; a few items are one part, and wait for nobody."""
        if len(items) <= FIRST:
            return list(work(items))
        done: list[Any] = []
        start, size = 0, FIRST
        while start < len(items):
            began = time.thread_time()
            done += work(items[start : start + size])
            start, size = start + size, _next(size, time.thread_time() - began)
            await asyncio.sleep(0)
        return done


def _next(size: int, seconds: float) -> int:
    fitting = int(size * PART_SECONDS / max(seconds, 1e-6))
    return max(LEAST, min(fitting, 2 * size, MOST))


async def _at_once(read: Callable[..., Any], *arguments: Any) -> Any:
    return read(*arguments)
