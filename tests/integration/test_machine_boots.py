"""A machine image that is damaged, or whose disk is full, says so and powers off.

Boots that score are those of tests/integration/test_parity.py, by UEFI, and tests/journey/test_batch.py, by a BIOS.
"""

import csv
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.contract import names
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


@pytest.fixture(scope="module")
def boots(
    machine_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, "subprocess.CompletedProcess[str]"]:
    """What came of them, by the partition that is damaged."""
    folder = tmp_path_factory.mktemp("boots")
    places = {"release": machine_image.image.release_bytes // 2, "base": machine_image.image.base_bytes // 2}
    damaged = {name: with_a_changed_byte(machine_image.disk, folder, name, place) for name, place in places.items()}
    # Two at a time, as there are cores.
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda disk: boot(machine_image, disk, "--firmware", "direct"), damaged.values())
        return dict(zip(damaged, done, strict=True))


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


@pytest.mark.parametrize(("partition", "status"), [("release", 65), ("base", 71)])
def test_a_machine_with_a_changed_byte_scores_nothing(
    boots: dict[str, "subprocess.CompletedProcess[str]"], partition: str, status: int
) -> None:
    done = boots[partition]
    assert done.returncode == 1
    expected = f"the machine ended with status {status}: {partition}: expected sha256 "
    assert done.stderr.splitlines()[-1].startswith(expected), done.stderr
    assert "container" not in done.stderr


@pytest.mark.nightly
def test_a_machine_whose_disk_is_full_leaves_no_receipt(machine_image: BuiltImage, tmp_path: Path) -> None:
    raw, io = RawFile(machine_image.disk), tmp_path / "io.raw"
    for name in (KERNEL, INITRAMFS):
        (tmp_path / name).write_bytes(raw.boot_file(name))
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[column.name for column in INPUTS], *ROWS])
    make_io_disk(io, tmp_path / "rows.csv", 4 << 20)
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
