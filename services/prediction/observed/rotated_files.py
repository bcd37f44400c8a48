"""Files of lines in a folder that several processes write to: each its own, and the oldest are removed for new ones."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

# Of the bytes of a folder a file has this part, and there are no more files than that.
PART, MOST_FILES = 16, 64


def write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


class StandardOutput:
    """A Sink for a container, whose engine keeps what it says."""

    def write(self, lines: list[bytes]) -> int:
        write_all(1, b"".join(lines))
        return len(lines)

    def close(self) -> None:
        """It stays open."""


class RotatedFiles:
    """A Sink: files `<name>-<worker>-<n>.jsonl`, together at most `max_bytes`, and a part more for each further worker.

    Nothing is opened before there is something to write.
    """

    def __init__(self, folder: Path, name: str, max_bytes: int) -> None:
        self._folder = folder
        self._name = name
        self._max_bytes = max_bytes
        self._worker = secrets.token_hex(4)
        self._number = 0
        self._file: int | None = None
        self._size = 0

    @property
    def line_bytes(self) -> int:
        """Of the longest line that fits."""
        return self._max_bytes // PART

    def write(self, lines: list[bytes]) -> int:
        written = 0
        for part in self._parts(lines):
            try:
                self._append(b"".join(part))
            except OSError:
                if not written:
                    raise
                break
            written += len(part)
        return written

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _parts(self, lines: list[bytes]) -> Iterator[list[bytes]]:
        """Lines that fit into one file together; without those that fit into none."""
        part: list[bytes] = []
        size = 0
        for line in lines:
            if len(line) > self.line_bytes:
                continue
            if size + len(line) > self.line_bytes:
                yield part
                part, size = [], 0
            part.append(line)
            size += len(line)
        if part:
            yield part

    def _append(self, part: bytes) -> None:
        file = self._open(len(part))
        try:
            write_all(file, part)
        except OSError:
            # A disk that is full takes a part of a line.
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._size)
            raise
        self._size += len(part)

    def _open(self, more: int) -> int:
        """The file for so many bytes more: a new one when they do not fit, or when another process removed ours."""
        if self._file is not None and (self._size + more > self.line_bytes or not os.fstat(self._file).st_nlink):
            self.close()
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_oldest()
            self._number += 1
            path = self._folder / f"{self._name}-{self._worker}-{self._number:06}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size = 0
        return self._file

    def _remove_oldest(self) -> None:
        files = sorted(self._found())
        total = sum(size for _, size, _ in files)
        while files and (total + self.line_bytes > self._max_bytes or len(files) >= MOST_FILES):
            _, size, oldest = files.pop(0)
            oldest.unlink(missing_ok=True)
            total -= size

    def _found(self) -> list[tuple[int, int, Path]]:
        found = []
        for path in self._folder.glob(f"{self._name}-*.jsonl"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        return found
