"""How far a batch has come, on stderr: one line that changes on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

_TERMINAL_SECONDS, _LOG_SECONDS = 0.5, 10.0


class Progress:
    """`rows` and `parts` are all there are; what a run before had done does not count for the rate."""

    def __init__(
        self, rows: int, parts: int, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._rows, self._parts = rows, parts
        self._done = self._found = self._whole = 0
        self._started = self._told = clock()
        self._terminal = self._stream.isatty()

    def resumed(self, rows: int, parts: int) -> None:
        """What was there at the beginning."""
        self._found, self._whole = rows, parts
        if parts:
            self._say(f"goes on: {parts} of {self._parts} parts ({rows} rows) are there from a run before")

    def add(self, rows: int) -> None:
        """A part is whole."""
        self._done, self._whole = self._done + rows, self._whole + 1
        now = self._clock()
        if now - self._told >= (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS) or self._whole == self._parts:
            self._told = now
            self._say(self._line(now - self._started), passing=self._terminal and self._whole < self._parts)

    def _line(self, seconds: float) -> str:
        rate = self._done / seconds if seconds > 0 else 0.0
        done = self._found + self._done
        left = f", {(self._rows - done) / rate:.0f} s left" if rate and done < self._rows else ""
        return f"{done} of {self._rows} rows, {self._whole} of {self._parts} parts, {rate:.0f} rows/s{left}"

    def _say(self, line: str, passing: bool = False) -> None:
        start, end = ("\r\x1b[K", "" if passing else "\n") if self._terminal else ("", "\n")
        self._stream.write(f"{start}{line}{end}")
        self._stream.flush()
