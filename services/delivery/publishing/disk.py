"""A machine image as blocks of EBS: read once, compared with its record, and of each block what must arrive."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from services.contract import names
from services.contract.errors import Refused
from services.contract.machine_image import MachineImage
from services.delivery.machine_image.disk import BASE, BIOS, ESP, RELEASE
from services.delivery.machine_image.gpt import SECTOR, read_partitions
from services.delivery.store import Store

# Of EBS: a snapshot has blocks of this size only, and a gp3 volume not more GiB.
BLOCK = 512 * 1024
PARTITIONS = (BIOS, ESP, BASE, RELEASE)
_GIB = 1024**3
_MOST_GIB = 16 * 1024


@dataclass(frozen=True)
class Disk:
    """`digests` are the SHA-256 of each block that is not all zeros, by its index from 0, in that order."""

    path: Path
    image: MachineImage
    digests: dict[int, bytes]

    @property
    def gibibytes(self) -> int:
        return gibibytes(self.image.bytes)

    @cached_property
    def aggregate(self) -> bytes:
        """EBS's LINEAR aggregation: SHA-256 over the raw digests of the blocks, in the order of their indexes."""
        return hashlib.sha256(b"".join(self.digests.values())).digest()

    def block(self, index: int) -> bytes:
        """Raises Refused when the file is no longer what it was when it was read first."""
        with self.path.open("rb") as disk:
            disk.seek(index * BLOCK)
            content = disk.read(BLOCK).ljust(BLOCK, b"\0")
        if hashlib.sha256(content).digest() != self.digests[index]:
            raise Refused(f"{self.path}: expected a file that stays as it is, found block {index} changed meanwhile")
        return content


def read_disk(given: Path, store: Store) -> Disk:
    """Of the record that `trackback image` has written, whose disk is beside it or in the store; or of the disk, whose
    record is beside it.

    Raises Refused unless the file is the one of the record, byte by byte, and a machine image.
    """
    is_record = given.suffix == ".json"
    record = given if is_record else given.parent / names.MACHINE_IMAGE_FILE
    image = MachineImage.read(record)
    path = _beside_or_stored(record, image, store) if is_record else given
    _refuse_size(path, image)
    _refuse_partitions(path)
    sha256, digests = _read(path)
    if sha256 != image.sha256:
        raise Refused(
            f"{path}: expected the SHA-256 {image.sha256[:12]}… of {record.name}, found {sha256[:12]}…: "
            "build the image again"
        )
    return Disk(path, image, digests)


def _beside_or_stored(record: Path, image: MachineImage, store: Store) -> Path:
    beside, stored = record.parent / image.file, store.machine_image(image.release) / image.file
    return stored if stored.exists() and not beside.exists() else beside


def gibibytes(size: int) -> int:
    """Of the smallest volume that holds so many bytes. Raises Refused when there is none."""
    needed = max(1, -(-size // _GIB))
    if needed > _MOST_GIB:
        raise Refused(f"expected a disk of at most {_MOST_GIB:,} GiB, as a gp3 volume can have, found {needed:,} GiB")
    return needed


def _refuse_size(path: Path, image: MachineImage) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise Refused(f"{path}: expected the disk of a machine image, cannot read it: {error.strerror}") from error
    if found != image.bytes:
        raise Refused(f"{path}: expected {image.bytes:,} bytes, found {found:,}: build the image again")
    if found % SECTOR:
        raise Refused(f"{path}: expected whole sectors of {SECTOR} bytes, found {found:,} bytes: build the image again")
    gibibytes(found)


def _refuse_partitions(path: Path) -> None:
    found = tuple(read_partitions(path))
    if found != PARTITIONS:
        raise Refused(
            f"{path}: expected the partitions {', '.join(PARTITIONS)}, found {', '.join(found) or 'none'}: "
            "give the disk that trackback image has written"
        )


def _read(path: Path) -> tuple[str, dict[int, bytes]]:
    whole, digests, zeros = hashlib.sha256(), {}, bytes(BLOCK)
    for index, content in enumerate(_blocks(path)):
        whole.update(content)
        padded = content.ljust(BLOCK, b"\0")
        if padded != zeros:
            digests[index] = hashlib.sha256(padded).digest()
    return whole.hexdigest(), digests


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as disk:
        while content := disk.read(BLOCK):
            yield content
