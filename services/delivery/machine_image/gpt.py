"""The partitions of a raw disk, read from its GPT.

Source: UEFI Specification 2.10, 5.3: header in the second sector, entries of 128 bytes, names in UTF-16.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.contract.errors import Refused

SECTOR = 512
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")


@dataclass(frozen=True)
class Partition:
    """Where it begins and how long it is, in bytes."""

    name: str
    start: int
    size: int


def read_partitions(disk: Path) -> dict[str, Partition]:
    """By name, in the order of the table. Raises Refused when there is no sound table."""
    try:
        with disk.open("rb") as file:
            file.seek(SECTOR)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size or header[:8] != b"EFI PART":
                raise Refused(f"{disk}: expected a disk with a GPT, found none: is it the raw file of a machine image?")
            _, _, _, crc, _, _, _, _, _, _, place, count, size, table_crc = _HEADER.unpack(header)
            whole = header[:16] + bytes(4) + header[20:]
            file.seek(place * SECTOR)
            table = file.read(min(count, 1024) * size)
    except OSError as error:
        raise Refused(f"{disk}: expected a raw disk, cannot read it: {error.strerror}") from error
    if zlib.crc32(whole) != crc or zlib.crc32(table) != table_crc or size < _ENTRY.size:
        raise Refused(f"{disk}: expected a sound GPT, found another checksum: the file is damaged")
    return {one.name: one for one in _entries(table, size)}


def _entries(table: bytes, size: int) -> Iterator[Partition]:
    for at in range(0, len(table), size):
        kind, _, first, last, _, name = _ENTRY.unpack_from(table, at)
        if kind != bytes(16):
            yield Partition(name.decode("utf-16-le").rstrip("\0"), first * SECTOR, (last - first + 1) * SECTOR)
