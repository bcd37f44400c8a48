"""The partition table of a raw file and the lock of Debian packages, read strictly."""

import re
import struct
import zlib
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage
from services.delivery.machine_image.debian import read_listing
from services.delivery.machine_image.debian_lock import LOCK, drift, read_lock, write_lock
from services.delivery.machine_image.gpt import Partition, read_partitions

SECTOR = 512


def disk(place: Path, partitions: dict[str, tuple[int, int]], spoil: int | None = None) -> Path:
    """Partitions by their first and last sector; `spoil` is the place of a byte that is changed afterwards."""
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", b"t" * 16, b"u" * 16, first, last, 0, name.encode("utf-16-le"))
        for name, (first, last) in partitions.items()
    )
    table = entries.ljust(128 * 128, b"\0")
    numbers = (1, 0, 2048, 9999, b"d" * 16, 2, 128, 128, zlib.crc32(table))

    def header(crc: int) -> bytes:
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, *numbers)

    content = bytearray(bytes(SECTOR) + header(zlib.crc32(header(0))).ljust(SECTOR, b"\0") + table)
    if spoil is not None:
        content[spoil] ^= 1
    file = place / "disk.raw"
    file.write_bytes(content)
    return file


def test_partitions_are_known_by_name_with_their_bytes(tmp_path: Path) -> None:
    found = read_partitions(disk(tmp_path, {"esp": (2048, 4095), "release": (4096, 4096)}))
    assert list(found.values()) == [Partition("esp", 1 << 20, 1 << 20), Partition("release", 2 << 20, SECTOR)]


@pytest.mark.parametrize("place", [SECTOR + 72, 2 * SECTOR + 32, 2 * SECTOR + 500])
def test_a_changed_byte_of_header_or_table_is_damage(tmp_path: Path, place: int) -> None:
    with pytest.raises(Refused, match="disk.raw: expected a sound GPT, found another checksum: the file is damaged"):
        read_partitions(disk(tmp_path, {"esp": (2048, 4095)}, spoil=place))


@pytest.mark.parametrize("content", [b"", b"short", bytes(100_000)])
def test_what_has_no_table_is_no_machine_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "disk.raw").write_bytes(content)
    with pytest.raises(Refused, match="expected a disk with a GPT, found none: is it the raw file of a machine image"):
        read_partitions(tmp_path / "disk.raw")


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="expected a raw disk, cannot read it: No such file or directory"):
        read_partitions(tmp_path / "disk.raw")


def package(name: str, version: str, digit: str = "1") -> DebianPackage:
    return DebianPackage(name=name, version=version, architecture="amd64", sha256=digit * 64)


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    trees = {"base": (package("crun", "1:1.8-2"), package("zstd", "1.5")), "container": (package("libc6", "2.36-9"),)}
    write_lock(trees, "2026-11-27", tmp_path / "debian.lock")
    assert "as the mirror had them on 2026-11-27" in (tmp_path / "debian.lock").read_text()
    assert read_lock(tmp_path / "debian.lock") == trees


def test_a_line_that_is_no_package_is_named_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "debian.lock").write_text("# lock\nbase crun 1.8 amd64\n")
    expected = "debian.lock:2: expected tree, name, version, architecture and SHA-256, found 'base crun 1.8 amd64'"
    with pytest.raises(Refused, match=re.escape(expected)):
        read_lock(tmp_path / "debian.lock")


def test_a_digest_that_is_none_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "debian.lock").write_text("base crun 1.8 amd64 abc\n")
    with pytest.raises(Refused, match=r"debian.lock:1: expected .* SHA-256, found 'base crun 1.8 amd64 abc'"):
        read_lock(tmp_path / "debian.lock")


def test_drift_is_told_in_words_and_nothing_is_said_of_what_is_as_locked() -> None:
    locked = (package("same", "1"), package("older", "1"), package("rebuilt", "1"), package("gone", "1"))
    found = (package("same", "1"), package("older", "2"), package("rebuilt", "1", "2"), package("more", "3"))
    assert drift(locked, found) == (
        "gone gone, locked 1",
        "more 3, locked not at all",
        "older 2, locked 1",
        "rebuilt 1 of other bytes than locked",
    )
    assert drift(locked, locked) == ()


def test_the_names_of_deb_files_are_names_versions_and_architectures() -> None:
    listed = f"{'1' * 64}  busybox_1%3a1.35.0-4+b1_amd64.deb\n{'2' * 64}  adduser_3.134_all.deb\n"
    assert [(one.name, one.version, one.architecture) for one in read_listing(listed)] == [
        ("adduser", "3.134", "all"),
        ("busybox", "1:1.35.0-4+b1", "amd64"),
    ]


def test_the_lock_of_the_repository_is_dated_and_holds_both_trees() -> None:
    assert re.match(
        r"# The Debian packages of machine images, as the mirror had them on 20\d\d-\d\d-\d\d;", LOCK.read_text()
    )
    found = {tree: {one.name for one in packages} for tree, packages in read_lock().items()}
    assert {"crun", "systemd", "udev"} <= found["base"]
    assert {"python3.11-minimal", "libstdc++6", "tzdata"} <= found["container"]
