"""Which blocks EBS has taken into a snapshot: kept here, because it does not tell before the snapshot is completed."""

import re
from pathlib import Path
from threading import Lock

from services.delivery.publishing.disk import Disk

_LINE = re.compile(r"(\d+) ([0-9a-f]{64})")
_SEALED = "sealed"


class Journal:
    """A line for each block, written once EBS has confirmed its checksum; kill -9 loses at most blocks that are then
    sent again, which changes nothing. The last line says that EBS has been told that this is all."""

    def __init__(self, folder: Path, snapshot: str) -> None:
        self._path, self._lock = folder / f"{snapshot}.blocks", Lock()

    def taken(self, disk: Disk) -> set[int]:
        """Of this disk only: a line that is torn, or of another content, counts for nothing."""
        found = [_LINE.fullmatch(line) for line in self._lines()]
        lines = [(int(one[1]), bytes.fromhex(one[2])) for one in found if one]
        return {index for index, digest in lines if disk.digests.get(index) == digest}

    @property
    def sealed(self) -> bool:
        return _SEALED in self._lines()

    def add(self, index: int, digest: bytes) -> None:
        self._append(f"{index} {digest.hex()}")

    def seal(self) -> None:
        self._append(_SEALED)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def _append(self, line: str) -> None:
        # The new line comes first, so that a torn one before it cannot take it along.
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.write(f"\n{line}")

    def _lines(self) -> list[str]:
        return self._path.read_text(encoding="ascii", errors="replace").splitlines() if self._path.exists() else []
