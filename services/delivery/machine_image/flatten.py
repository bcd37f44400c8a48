"""The layers of an image as one file tree, streamed from tar to tar.

Source: OCI Image Format Specification 1.1, "Image Layer Filesystem Changeset": whiteouts `.wh.<name>` hide one entry of
the layers below, `.wh..wh..opq` all of a folder's.
"""

import gzip
import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from services.contract.errors import Refused
from services.delivery.machine_image.tools import EPOCH

_OPAQUE = ".wh..wh..opq"
_WHITEOUT = ".wh."
_CHUNK = 1 << 20
# What building an image left in it, which no container that starts from it looks at.
_LEFT_BEHIND = ("var/cache/apt", "var/lib/apt/lists", "var/log")


@dataclass(frozen=True)
class LayerFile:
    """A layer's file, the digest of it and that of its tar when it is unpacked."""

    file: Path
    digest: str
    diff_id: str


@dataclass
class _Seen:
    """What layers above have said of paths: there already, hidden with all below, or emptied of what was."""

    there: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)

    def covers(self, path: str) -> bool:
        if path in self.there:
            return True
        while path:
            if path in self.hidden:
                return True
            path = posixpath.dirname(path)
            if path in self.opaque:
                return True
        return False


def flatten(layers: Sequence[LayerFile], target: tarfile.TarFile, prefix: str) -> set[str]:
    """Adds what a container would see to `target`, below `prefix`, but for caches of apt and logs; returns its paths.

    From the top layer down, because what is seen first is what stays. Raises Refused for a layer whose bytes are not
    those of its digests.
    """
    seen = _Seen()
    for layer in reversed(layers):
        _Flattened(target, prefix, seen).add(layer)
    return seen.there


class _Flattened:
    """One layer below those that were seen."""

    def __init__(self, target: tarfile.TarFile, prefix: str, seen: _Seen) -> None:
        self._target, self._prefix, self._seen = target, prefix, seen
        # What this layer says counts for the layers below, and not for its own.
        self._here = _Seen()
        self._covered: set[str] = set()
        self._orphans: dict[str, list[tarfile.TarInfo]] = {}

    def add(self, layer: LayerFile) -> None:
        for source, entry in entries(layer):
            self._look_at(source, entry)
        if self._orphans:
            for source, entry in entries(layer):
                self._adopt(source, entry)
        self._seen.hidden |= self._here.hidden
        self._seen.opaque |= self._here.opaque

    def _look_at(self, source: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        path = _normal(entry.name)
        folder, name = posixpath.split(path)
        if name == _OPAQUE:
            self._here.opaque.add(folder)
        elif name.startswith(_WHITEOUT):
            self._here.hidden.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        elif path and (self._seen.covers(path) or _is_left_behind(entry, path)):
            self._covered.add(path)
        elif path:
            self._take(source, entry, path)

    def _take(self, source: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
        self._seen.there.add(path)
        if not entry.isdir():
            # A file in the place of a folder hides what layers below have in it.
            self._here.hidden.add(path)
        if entry.isdev():
            return
        if entry.islnk() and (of := _normal(entry.linkname)) in self._covered:
            self._orphans.setdefault(of, []).append(_cleaned(entry, self._prefix, path))
            return
        self._target.addfile(_cleaned(entry, self._prefix, path), source.extractfile(entry) if entry.isreg() else None)

    def _adopt(self, source: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        """The first of the names under which a file goes on, whose own name a layer above has taken or hidden."""
        if not entry.isreg() or not (names := self._orphans.pop(_normal(entry.name), [])):
            return
        first, *others = names
        file = _cleaned(entry, self._prefix, first.name.removeprefix(f"{self._prefix}/"))
        self._target.addfile(file, source.extractfile(entry))
        for other in others:
            other.linkname = first.name
            self._target.addfile(other)


def entries(layer: LayerFile) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Each with the tar that its content is read from. Raises Refused at the end for bytes that are not the layer's."""
    with layer.file.open("rb") as raw:
        stored = _Hashing(raw)
        # Of what is stored as it is, one digest is both.
        content = _Hashing(cast("IO[bytes]", gzip.GzipFile(fileobj=stored))) if _is_gzip(layer.file) else stored
        try:
            with tarfile.open(fileobj=io.BufferedReader(content, _CHUNK), mode="r|", bufsize=_CHUNK) as tar:
                for entry in tar:
                    yield tar, entry
            content.drain()
            stored.drain()
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Refused(f"layer {layer.digest[:19]}…: expected a tar, found something else: {error}") from error
    _refuse_other(layer, stored.digest, content.digest)


def _cleaned(entry: tarfile.TarInfo, prefix: str, path: str) -> tarfile.TarInfo:
    """Without names of users, times after ours, and the right to become another user."""
    entry.name, entry.uname, entry.gname, entry.pax_headers = f"{prefix}/{path}", "", "", {}
    entry.mtime, entry.mode = min(int(entry.mtime), EPOCH), entry.mode & ~0o6000
    if entry.islnk():
        entry.linkname = f"{prefix}/{_normal(entry.linkname)}"
    return entry


def _is_left_behind(entry: tarfile.TarInfo, path: str) -> bool:
    return not entry.isdir() and path.startswith(tuple(f"{folder}/" for folder in _LEFT_BEHIND))


def _normal(name: str) -> str:
    return posixpath.normpath(f"/{name}").lstrip("/")


def _is_gzip(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(2) == b"\x1f\x8b"


def _refuse_other(layer: LayerFile, digest: str, diff_id: str) -> None:
    for what, expected, found in (("bytes", layer.digest, digest), ("content", layer.diff_id, diff_id)):
        if expected != found:
            raise Refused(
                f"layer {layer.digest[:19]}…: expected {what} {expected[:19]}…, found {found[:19]}…: it was changed"
            )


class _Hashing(io.RawIOBase):
    """Reads on, and knows the SHA-256 of all that it has read."""

    def __init__(self, source: IO[bytes] | io.RawIOBase) -> None:
        self._source, self._hash = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        count = self._source.readinto(view) or 0  # type: ignore[union-attr]
        self._hash.update(view[:count])
        return count

    def drain(self) -> None:
        while self.read(_CHUNK):
            pass

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
