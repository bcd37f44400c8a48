"""The figures of all workers that answer for a release together: a file a worker, in a folder of theirs.

Whoever is asked reads the files of all. A file is held by a lock while its worker lives. The next worker goes on
counting in the file of one that ended, so that no counter goes back and there are no more files than workers.
"""

import fcntl
import logging
import mmap
import os
from array import array
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

from services.prediction.observed.figures import BYTES, SIZE, Figures, Place

log = logging.getLogger(__name__)


class Group(Protocol):
    """`own` are this process's figures, `total` is the sum over all workers; who answers no more is to `leave`."""

    own: Figures

    def total(self) -> Sequence[float]: ...

    def leave(self) -> None: ...


class Alone:
    """A Group of one."""

    def __init__(self) -> None:
        self.own = Figures(memoryview(bytearray(BYTES)).cast("d"))

    def total(self) -> Sequence[float]:
        return self.own.read()

    def leave(self) -> None:
        """Nobody waits for it."""


class Siblings:
    """A Group. Made by the worker itself, after a fork."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError when the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._held = _hold(folder)
        # Memory that the disk has no room for would end the process when it is written.
        os.posix_fallocate(self._held, 0, BYTES)
        self.own = Figures(memoryview(mmap.mmap(self._held, BYTES)).cast("d"))

    def total(self) -> Sequence[float]:
        return [sum(column) for column in zip(self.own.read(), *self._others(), strict=True)]

    def leave(self) -> None:
        fcntl.flock(self._held, fcntl.LOCK_UN)

    def _others(self) -> Iterator[Sequence[float]]:
        own = os.fstat(self._held).st_ino
        for path in self._folder.glob("*.figures"):
            with path.open("rb") as file:
                numbers = array("d", file.read(BYTES))
                if os.fstat(file.fileno()).st_ino == own or len(numbers) != SIZE:
                    continue
                if _lock(file.fileno(), fcntl.LOCK_SH):
                    numbers[Place.IN_FLIGHT] = 0.0
                yield numbers


def join(folder: Path | None) -> Group:
    """The group of a folder; where it cannot be written this process counts for itself, because it has to answer."""
    if folder is None:
        return Alone()
    try:
        return Siblings(folder)
    except OSError as error:
        log.warning("%s: %s: this worker's figures are its own alone", folder, error.strerror)
        return Alone()


def _hold(folder: Path) -> int:
    paths = (folder / f"{number}.figures" for number in count())
    return next(held for path in paths if (held := _open_free(path)) is not None)


def _open_free(path: Path) -> int | None:
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if _lock(held, fcntl.LOCK_EX):
        return held
    os.close(held)
    return None


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
