"""Checks by its bytes that an image holds the recorded release, before any of them runs."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO

from services.contract import names
from services.contract.digest import FileEntry, digest_files
from services.contract.errors import Refused
from services.rollout.release_store import StoredRelease

READ_BYTES = 1 << 20
_ROOT = PurePosixPath(names.RELEASE_FOLDER).name


def check_labels(labels: Mapping[str, str], release: StoredRelease) -> None:
    for label, expected in ((names.MODEL_LABEL, release.model), (names.RELEASE_LABEL, release.digest)):
        if (found := labels.get(label)) != expected:
            raise Refused(f"expected an image with the label {label}={expected}, found {found}: package it again")


def check_contents(archive: Iterable[bytes], release: StoredRelease) -> None:
    """`archive` is the image's release folder as tar. Raises Refused unless it has exactly the release's digest."""
    try:
        # As a stream: never more of it in memory than one part, and nothing on disk.
        with tarfile.open(fileobj=Parts(archive), mode="r|") as members:
            found = digest_files(list(_entries(members)))
    except tarfile.TarError as error:
        raise Refused(f"expected the image's folder {names.RELEASE_FOLDER}, cannot read it: {error}") from error
    if found != release.digest:
        raise Refused(f"expected release {release.digest[:12]}… in the image, found {found[:12]}…: package it again")


def _entries(members: tarfile.TarFile) -> Iterator[FileEntry]:
    for member in members:
        if member.isdir():
            continue
        content = members.extractfile(member) if member.isreg() else None
        if content is None:
            raise Refused(f"image: {member.name}: expected plain files and folders only, found a link or device")
        path = PurePosixPath(member.name).relative_to(_ROOT).as_posix()
        yield FileEntry(path=path, size=member.size, sha256=_sha256(content))


def _sha256(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while part := content.read(READ_BYTES):
        digest.update(part)
    return digest.hexdigest()


class Parts(io.RawIOBase):
    """Bytes that come in parts, as a file."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            if (part := next(self._parts, None)) is None:
                return b""
            self._rest = part
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
