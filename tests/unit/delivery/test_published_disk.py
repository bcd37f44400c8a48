"""What may be published: the disk of the record, byte by byte, and a machine image."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.delivery.publishing.disk import gibibytes, read_disk
from services.delivery.store import Store
from tests.support.small_disk import BLOCK, BLOCKS_THAT_ARE_NOT_ZERO, described, write_disk


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_disk(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def refused(given: Path) -> str:
    with pytest.raises(Refused) as refusal:
        read_disk(given, Store(given.parent / "store"))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_only_blocks_that_are_not_all_zeros_are_to_be_sent(image: Path, store: Store) -> None:
    assert tuple(read_disk(image, store).digests) == BLOCKS_THAT_ARE_NOT_ZERO
    assert read_disk(image.with_name("disk.raw"), store) == read_disk(image, store)


def test_the_last_block_is_filled_with_zeros(image: Path, store: Store) -> None:
    assert read_disk(image, store).block(13) == b"block 13".ljust(BLOCK // 2 - 1, b"\0") + b"\1" + bytes(BLOCK // 2)


def test_a_disk_that_changes_while_it_is_sent_is_refused(image: Path, store: Store) -> None:
    disk = read_disk(image, store)
    changed_byte(image)
    with pytest.raises(Refused, match="expected a file that stays as it is, found block 9 changed meanwhile"):
        disk.block(9)


def changed_byte(image: Path) -> None:
    with image.with_name("disk.raw").open("r+b") as file:
        file.seek(9 * BLOCK)
        file.write(b"!")


def cut(image: Path) -> None:
    os.truncate(image.with_name("disk.raw"), 4096)


def gone(image: Path) -> None:
    image.with_name("disk.raw").unlink()


def no_table(image: Path) -> None:
    image.with_name("disk.raw").write_bytes(bytes(4096))
    described(image.with_name("disk.raw")).write(image)


def half_sector(image: Path) -> None:
    with image.with_name("disk.raw").open("ab") as file:
        file.write(b"x")
    described(image.with_name("disk.raw")).write(image)


def damaged(place: int) -> Callable[[Path], None]:
    def damage(image: Path) -> None:
        with image.with_name("disk.raw").open("r+b") as file:
            file.seek(place)
            file.write(b"!")
        described(image.with_name("disk.raw")).write(image)

    return damage


def another_system(image: Path) -> None:
    write_disk(image.parent, partitions=("EFI System", "root"))


def another_record(image: Path) -> None:
    image.write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (changed_byte, "expected the SHA-256 [0-9a-f]{12}… of image.json, found [0-9a-f]{12}…: build the image again"),
        (cut, "expected 7,077,888 bytes, found 4,096: build the image again"),
        (gone, "expected the disk of a machine image, cannot read it: No such file or directory"),
        (no_table, "expected a disk with a GPT, found none: .*"),
        (half_sector, "expected whole sectors of 512 bytes, found 7,077,889 bytes: build the image again"),
        (damaged(512 + 60), "expected a sound GPT, found another checksum: .*"),
        (damaged(1024 + 60), "expected a sound GPT, found another checksum: .*"),
        (another_system, "expected the partitions bios, esp, base, release, found EFI System, root: give the disk .*"),
        (another_record, "image.json is not a MachineImage: .*"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_the_image_is_refused(spoil: Callable[[Path], None], words: str, image: Path) -> None:
    spoil(image)
    assert re.fullmatch(rf"\S+?(: )?{words}", refused(image))


def test_a_disk_is_found_in_the_store_by_the_record_of_the_stage(image: Path, store: Store) -> None:
    folder = store.machine_image("5" * 64)
    folder.mkdir(parents=True)
    image.with_name("disk.raw").rename(folder / "disk.raw")
    assert read_disk(image, store).path == folder / "disk.raw"


def test_a_disk_without_a_record_is_refused(image: Path) -> None:
    image.unlink()
    assert refused(image.with_name("disk.raw")).endswith(
        "image.json: expected a MachineImage, cannot read it: No such file or directory"
    )


@pytest.mark.parametrize(("size", "gib"), [(1, 1), (1 << 30, 1), ((1 << 30) + 1, 2), (16 << 40, 16384)])
def test_a_volume_is_as_large_as_the_disk_asks_for(size: int, gib: int) -> None:
    assert gibibytes(size) == gib


def test_a_disk_that_no_volume_holds_is_refused() -> None:
    with pytest.raises(Refused, match="expected a disk of at most 16,384 GiB, as a gp3 volume can have, found 16,385"):
        gibibytes((16 << 40) + 1)
