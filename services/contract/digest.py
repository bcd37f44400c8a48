"""The identity of a directory: SHA-256 over sorted `relative path NUL size NUL sha256` lines (design §6)."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.contract.errors import Refused
from services.contract.record import Record, Sha256


class FileEntry(Record):
    """One file of a digested directory; `path` is relative with `/`, `size` in bytes."""

    path: str
    size: int
    sha256: Sha256


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(root: Path) -> tuple[FileEntry, ...]:
    """Every file below `root`, sorted by path. Raises Refused for anything that is no plain file or folder."""
    return tuple(sorted(_walk(root, root), key=lambda entry: entry.path))


def _walk(root: Path, folder: Path) -> Iterator[FileEntry]:
    with os.scandir(folder) as listing:
        found = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in listing]
    for path, status in found:
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(root, path)
        elif stat.S_ISREG(mode):
            yield FileEntry(path=path.relative_to(root).as_posix(), size=status.st_size, sha256=file_sha256(path))
        else:
            raise Refused(f"{path}: expected plain files and folders only, found a link or device")


def digest_files(files: Iterable[FileEntry]) -> str:
    lines = sorted(f"{entry.path}\0{entry.size}\0{entry.sha256}\n" for entry in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digest_directory(root: Path) -> str:
    """Raises Refused when `root` is missing, empty or holds a link or device."""
    if not root.is_dir():
        raise Refused(f"{root}: expected a folder, found none")
    files = list_files(root)
    if not files:
        raise Refused(f"{root}: expected files, found an empty folder")
    return digest_files(files)


def verify_directory(root: Path, expected: str) -> None:
    """Raises Refused unless `root` has exactly the digest `expected`."""
    found = digest_directory(root)
    if found != expected:
        raise Refused(f"{root}: expected digest {expected[:12]}…, found {found[:12]}…: its files were changed")
