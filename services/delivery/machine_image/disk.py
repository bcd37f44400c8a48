"""The raw disk: a GPT with boot loaders for BIOS and UEFI, the base and the release, without a loop device or root."""

import hashlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contract.errors import Refused
from services.delivery.machine_image.boot_loader import ESP_LABEL, boot_code, build_loaders, menu
from services.delivery.machine_image.gpt import SECTOR
from services.delivery.machine_image.release_partition import FileSystem
from services.delivery.machine_image.tools import EPOCH, environment

MIB = 1 << 20
BIOS, ESP, BASE, RELEASE = "bios", "esp", "base", "release"
# Where image.json and the lists lie in the boot partition.
ESP_FOLDER = "trackback"
_TYPES = {
    BIOS: "21686148-6449-6E6F-744E-656564454649",
    ESP: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    BASE: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    RELEASE: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
}
_READ_ONLY = (BASE, RELEASE)
_NAMESPACE = uuid.UUID("8c1e1d6e-7f2e-4f0b-9d1e-747261636b62")
# FAT32 wants this many clusters, which are of one sector here.
_SMALLEST_ESP = 36 * MIB
_COPIED = 1 << 16


@dataclass(frozen=True)
class Parts:
    """`boot_files` by their path in the boot partition, beside the loaders and their menu."""

    base: FileSystem
    release: FileSystem
    boot_files: Mapping[str, Path]
    command_line: str


@dataclass(frozen=True)
class _Placed:
    name: str
    start: int
    size: int
    content: Path | None


def command_line(base: FileSystem, release: FileSystem) -> str:
    """The kernel's: where its root is, and of which bytes both file systems must be."""
    return (
        "root=PARTLABEL=base rootfstype=squashfs ro console=tty0 console=ttyS0,115200n8 "
        "nvme_core.io_timeout=4294967295 systemd.show_status=0 loglevel=3 "
        f"trackback.base_sha256={base.sha256} trackback.base_bytes={base.bytes} "
        f"trackback.release_sha256={release.sha256} trackback.release_bytes={release.bytes}"
    )


def write_disk(parts: Parts, target: Path, staging: Path) -> None:
    """Equal parts make an equal disk. Raises Refused when a tool fails."""
    core, uefi = build_loaders(staging)
    esp = _write_esp(parts, uefi, staging)
    layout = _layout(parts, esp)
    identity = f"{parts.base.sha256}{parts.release.sha256}"
    with target.open("wb") as disk:
        disk.truncate(layout[-1].start + layout[-1].size + MIB)
    run(["sfdisk", "--quiet", "--no-tell-kernel", "--no-reread", str(target)], _table(layout, identity))
    boot, patched = boot_code(core.read_bytes(), layout[0].start)
    with target.open("r+b") as disk:
        disk.write(boot)
        disk.seek(layout[0].start)
        disk.write(patched)
        for part in layout:
            if part.content:
                _copy(part.content, disk.fileno(), part.start)


def _layout(parts: Parts, esp: Path) -> list[_Placed]:
    placed, start = [], MIB
    for name, content in ((BIOS, None), (ESP, esp), (BASE, parts.base.file), (RELEASE, parts.release.file)):
        size = _whole(content.stat().st_size) if content else MIB
        placed.append(_Placed(name, start, size, content))
        start += size
    return placed


def _table(layout: Sequence[_Placed], identity: str) -> str:
    """For sfdisk; what is random elsewhere comes from the content."""
    lines = ["label: gpt", f"label-id: {uuid.uuid5(_NAMESPACE, identity)}", f"first-lba: {MIB // SECTOR}"]
    for part in layout:
        one = uuid.uuid5(_NAMESPACE, identity + part.name)
        attributes = ", attrs=GUID:60" if part.name in _READ_ONLY else ""
        lines.append(
            f"start={part.start // SECTOR}, size={part.size // SECTOR}, type={_TYPES[part.name]}, "
            f"name={part.name}, uuid={one}{attributes}"
        )
    return "\n".join(lines) + "\n"


def _write_esp(parts: Parts, uefi: Path, staging: Path) -> Path:
    """A FAT file system by mtools, with times and number of ours."""
    esp, grub = staging / "esp.img", staging / "grub.cfg"
    grub.write_text(menu(parts.command_line))
    files = {"EFI/BOOT/BOOTX64.EFI": uefi, "grub/grub.cfg": grub, **parts.boot_files}
    size = max(_whole(sum(file.stat().st_size for file in files.values())) + 4 * MIB, _SMALLEST_ESP)
    with esp.open("wb") as empty:
        empty.truncate(size)
    serial = hashlib.sha256(parts.command_line.encode()).hexdigest()[:8]
    run(["mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-n", ESP_LABEL, "-i", serial, str(esp)])
    folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"."})
    run(["mmd", "-i", str(esp), *(f"::{folder}" for folder in folders)])
    for name, file in sorted(files.items()):
        copy = staging / "copied"
        shutil.copyfile(file, copy)
        os.utime(copy, (EPOCH, EPOCH))
        run(["mcopy", "-m", "-i", str(esp), str(copy), f"::{name}"])
    return esp


def run(words: list[str], given: str = "") -> None:
    done = subprocess.run(words, input=given, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise Refused(f"expected {words[0]} to write the disk, found exit {done.returncode}: {said[-1]}")


def _copy(source: Path, disk: int, start: int) -> None:
    """Leaves holes where the content is zeros, because the file is new."""
    nothing = bytes(_COPIED)
    with source.open("rb") as file:
        while block := file.read(_COPIED):
            if block != nothing[: len(block)]:
                os.pwrite(disk, block, start)
            start += len(block)


def _whole(size: int) -> int:
    return (size + MIB - 1) // MIB * MIB
