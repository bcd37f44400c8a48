"""A machine image boots by its own boot loader, scores, tells what became of it, and powers off."""

import csv
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.contract import names
from services.contract.receipt import Receipt
from services.delivery.machine_image import qemu
from services.delivery.machine_image.console import result_of
from services.delivery.machine_image.followed import follow
from services.delivery.machine_image.io_disk import make_io_disk
from services.delivery.machine_image.os_base import INITRAMFS, KERNEL
from services.delivery.machine_image.raw_file import RawFile
from tests.support.built_image import BuiltImage
from tests.support.paths import ROOT
from tests.support.poll import PATIENCE
from tests.support.release_factory import INPUTS, ROWS

pytestmark = pytest.mark.needs("image")

DEBUGFS = "/usr/sbin/debugfs"
REFUSED = (("heavy", "Ideal", 1), ("", "Fair", 2))
DIRECT = ("--firmware", "direct")


@dataclass(frozen=True)
class Boots:
    """What came of them, by name, and the folder with their receipts."""

    done: dict[str, "subprocess.CompletedProcess[str]"]
    folder: Path


@pytest.fixture(scope="module")
def boots(machine_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> Boots:
    folder = tmp_path_factory.mktemp("boots")
    machine_image.release.write(folder / names.RELEASE_FILE)
    machine_image.image.write(folder / names.MACHINE_IMAGE_FILE)
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[column.name for column in INPUTS], *ROWS, *REFUSED])
    places = {"release": machine_image.image.release_bytes // 2, "base": machine_image.image.base_bytes // 2}
    damaged = {name: with_a_changed_byte(machine_image.disk, folder, name, place) for name, place in places.items()}
    image = folder / names.MACHINE_IMAGE_FILE
    asked: dict[str, tuple[str | Path, ...]] = {
        "sample": (image, "--release", folder / names.RELEASE_FILE, "--out", folder / "sample"),
        "rows": (
            image,
            "--input",
            folder / "rows.csv",
            "--output",
            folder / "scored",
            "--out",
            folder / "rows",
            *DIRECT,
        ),
        **{name: (path, *DIRECT) for name, path in damaged.items()},
    }
    # Two at a time, as there are cores.
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda words: boot(machine_image, *words), asked.values())
        return Boots(dict(zip(asked, done, strict=True)), folder)


def boot(built: BuiltImage, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.delivery", "boot", *words]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TRACKBACK_STORE": str(built.root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=6000)


def with_a_changed_byte(disk: Path, folder: Path, partition: str, place: int) -> Path:
    copy = folder / f"{partition}.raw"
    shutil.copyfile(disk, copy)
    with copy.open("r+b") as file:
        file.seek(RawFile(disk).partitions[partition].start + place)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    return copy


def test_a_machine_answers_a_sample_as_its_release_does(machine_image: BuiltImage, boots: Boots) -> None:
    """By a BIOS, from a disk of virtio."""
    done = boots.done["sample"]
    assert done.returncode == 0, done.stderr
    digest = machine_image.release.digest
    assert f"{2 * len(ROWS)} answers are those of release {digest[:12]}…, 3 rows were refused" in done.stderr
    receipt = Receipt.read(boots.folder / "sample" / names.RECEIPT_FILE)
    assert (receipt.release, receipt.image) == (digest, machine_image.image.image)


def test_rows_that_nobody_may_answer_are_set_aside_and_counted(boots: Boots) -> None:
    done = boots.done["rows"]
    assert done.returncode == 0, done.stderr
    assert "TRACKBACK-RESULT status=0 scored 4 of 6 rows, rejected 2" in done.stderr
    receipt = Receipt.read(boots.folder / "rows" / names.RECEIPT_FILE)
    assert (receipt.rows_scored, receipt.rows_rejected) == (len(ROWS), len(REFUSED))
    assert all((boots.folder / "scored" / one.path).is_file() for one in receipt.outputs)


@pytest.mark.parametrize(("partition", "status"), [("release", 65), ("base", 71)])
def test_a_machine_with_a_changed_byte_scores_nothing(boots: Boots, partition: str, status: int) -> None:
    done = boots.done[partition]
    assert done.returncode == 1
    expected = f"the machine ended with status {status}: {partition}: expected sha256 "
    assert done.stderr.splitlines()[-1].startswith(expected), done.stderr
    assert "container" not in done.stderr


def test_a_machine_whose_disk_is_full_leaves_no_receipt(
    machine_image: BuiltImage, boots: Boots, tmp_path: Path
) -> None:
    raw, io = RawFile(machine_image.disk), tmp_path / "io.raw"
    for name in (KERNEL, INITRAMFS):
        (tmp_path / name).write_bytes(raw.boot_file(name))
    make_io_disk(io, boots.folder / "rows.csv", 4 << 20)
    (tmp_path / "filler").write_bytes(os.urandom(4 << 20))
    # debugfs writes what fits, so that no block is left.
    asked(io, f"write {tmp_path}/filler /filler", "-w")
    kernel = qemu.Kernel(tmp_path / KERNEL, tmp_path / INITRAMFS, raw.content.command_line)
    lines = follow(qemu.command(qemu.Machine(machine_image.disk, io, kernel=kernel)), 3 * PATIENCE, lambda _: None)
    assert result_of(lines).status == 73, lines
    assert names.RECEIPT_FILE not in asked(io, "ls /out")


def asked(disk: Path, request: str, *options: str) -> str:
    words = [DEBUGFS, *options, "-R", request, str(disk)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
