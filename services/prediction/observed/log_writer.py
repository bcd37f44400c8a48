"""Writes the lines of a log in a thread of its own, a batch at a time: whoever answers only puts them into a list.

What the thread is too slow for is lost, and so is what cannot be written, such as on a full disk. Both are counted.
"""

import asyncio
import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from services.prediction.observed.figures import Figures, Place

BATCH_SECONDS = 0.1
CLOSE_SECONDS = 1.0
log = logging.getLogger(__name__)


class Sink(Protocol):
    def write(self, lines: list[bytes]) -> int:
        """Returns how many of them are written. Raises OSError when none is."""

    def close(self) -> None: ...


class LogWriter:
    """`encode` makes a line of an entry, in the thread; `limit` is of entries, or of what they weigh, that wait.

    Entries that were lost are counted at the first of `places`, those that were not written at the second.
    """

    def __init__(
        self,
        encode: Callable[[Any], bytes],
        sink: Sink,
        figures: Figures,
        places: tuple[Place, Place],
        limit: int,
    ) -> None:
        self._encode = encode
        self._sink = sink
        self._figures = figures
        self._lost, self._failed = places
        self._limit = limit
        self._batch: list[Any] = []
        self._batches: SimpleQueue[tuple[list[Any], int] | None] = SimpleQueue()
        # Each is changed by one thread only, so that neither needs a lock.
        self._put_weight = self._done_weight = self._batch_weight = 0
        self._thread: Thread | None = None
        self._well = True

    def put(self, entry: Any, weight: int = 1) -> None:
        """From the event loop; returns at once."""
        if self._put_weight - self._done_weight >= self._limit:
            self._figures.add(self._lost)
            return
        if not self._batch:
            asyncio.get_running_loop().call_later(BATCH_SECONDS, self._hand_over)
        self._batch.append(entry)
        self._put_weight += weight
        self._batch_weight += weight

    def close(self) -> None:
        """Writes what waits, as far as that is possible within a second."""
        self._hand_over()
        if self._thread:
            self._batches.put(None)
            self._thread.join(CLOSE_SECONDS)

    def _hand_over(self) -> None:
        if not self._batch:
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
        self._batches.put((self._batch, self._batch_weight))
        self._batch, self._batch_weight = [], 0

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            entries, weight = batch
            self._write(entries)
            self._done_weight += weight
        self._sink.close()

    def _write(self, entries: list[Any]) -> None:
        written = 0
        try:
            written = self._sink.write([line for entry in entries if (line := self._line(entry))])
            self._well = True
        # A full disk, or a reader that has gone: an answer does not depend on it.
        except OSError as error:
            if self._well:
                log.warning("a log cannot be written, its lines are lost until it can: %s", error)
            self._well = False
        if written < len(entries):
            self._figures.add(self._failed, len(entries) - written)

    def _line(self, entry: Any) -> bytes:
        """Empty for what has no text."""
        try:
            return self._encode(entry)
        except (TypeError, ValueError) as error:
            log.warning("a line of a log is lost: %s", error)
            return b""
