"""Tells on stderr how far a batch is: at most a line in some seconds, because a log keeps them all."""

import time
from collections.abc import Callable

SECONDS_BETWEEN = 5.0


class Progress:
    """Of several files, by the share of each that was read."""

    def __init__(self, tell: Callable[[str], object], files: int) -> None:
        self._tell, self._files, self._file = tell, files, 0
        self._began = self._told = time.monotonic()
        self.scored = self.rejected = 0

    def add(self, scored: int, rejected: int, done: float) -> None:
        """`done` is the share of the current file."""
        self.scored, self.rejected = self.scored + scored, self.rejected + rejected
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN:
            self._told = now
            self._tell(self._line(now - self._began, (self._file + done) / self._files))

    def next_file(self) -> None:
        self._file += 1

    @property
    def rows(self) -> int:
        return self.scored + self.rejected

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def _line(self, seconds: float, share: float) -> str:
        left = f", {seconds / share - seconds:.0f} s left" if share else ""
        at = f"file {min(self._file + 1, self._files)} of {self._files}"
        return f"{self.scored} rows scored, {self.rejected} rejected, {at}, {self.rows / seconds:.0f} rows/s{left}"
