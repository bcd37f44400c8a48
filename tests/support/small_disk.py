"""A disk of a few MiB in the shape of a machine image: GPT, four partitions, blocks of zeros between others."""

import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

from services.contract.machine_image import MachineImage

MIB, BLOCK = 1 << 20, 512 * 1024
PARTITIONS = ("bios", "esp", "base", "release")
# Of the disk's 14 blocks: the GPT's; then one in each partition, of which the last is only half one.
BLOCKS_THAT_ARE_NOT_ZERO = (0, 2, 4, 6, 9, 13)
# What publishing does not look at.
_MADE_OF: dict[str, Any] = {
    "recipe": "3" * 64, "kernel": "6.1.0-1", "command_line": "quiet", "base_sha256": "1" * 64, "base_bytes": 1,
    "release_sha256": "2" * 64, "release_bytes": 1, "packages": (), "checks": (),
}  # fmt: skip


def write_disk(folder: Path, partitions: tuple[str, ...] = PARTITIONS, **changed: Any) -> Path:
    """Returns the path of `image.json`, with `disk.raw` beside it."""
    content = bytearray(7 * MIB - BLOCK // 2)
    table = _table(partitions)
    content[512:1024] = _header(table)
    content[1024 : 1024 + len(table)] = table
    for index in BLOCKS_THAT_ARE_NOT_ZERO[1:]:
        content[index * BLOCK : index * BLOCK + 8] = f"block {index:02}".encode()
    content[-1] = 1
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "disk.raw").write_bytes(content)
    described(folder / "disk.raw", **changed).write(folder / "image.json")
    return folder / "image.json"


def described(disk: Path, **changed: Any) -> MachineImage:
    content = disk.read_bytes()
    said = {
        "model": "diamond-price", "revision": "2-90bb4914", "run_id": "9" * 32, "release": "5" * 64,
        "image": f"sha256:{'7' * 64}", "file": disk.name, "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    return MachineImage(**{**said, **_MADE_OF, **changed})


def _table(partitions: tuple[str, ...]) -> bytes:
    entries = [
        struct.pack(
            "<16s16sQQQ72s", b"t" * 16, bytes([place + 1]) * 16, first, first + 2047, 0, name.encode("utf-16-le")
        )
        for place, (name, first) in enumerate(zip(partitions, range(2048, 65536, 2048), strict=False))
    ]
    return b"".join(entries).ljust(128 * 128, b"\0")


def _header(table: bytes) -> bytes:
    def packed(checksum: int) -> bytes:
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, checksum, 0, 1, 14079, 34, 14046,
                           b"d" * 16, 2, 128, 128, zlib.crc32(table))  # fmt: skip

    return packed(zlib.crc32(packed(0))).ljust(512, b"\0")
