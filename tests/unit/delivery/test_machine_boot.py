"""What the machine image does when it has booted: its own scripts, in a folder in the place of the machine's root."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.process

OVERLAY = ROOT / "services" / "delivery" / "machine_image" / "overlay"
SCRIPTS = OVERLAY / "root" / "usr" / "lib" / "trackback"
RELEASE, BASE = b"a release", b"a base"
RECEIPT = '{\n  "rows_in": 3,\n  "rows_rejected": 1,\n  "rows_scored": 2\n}\n'
SCORES = f"printf '%s' '{RECEIPT}' >$TRACKBACK_ROOT/io/out/receipt.json"
DONE = "TRACKBACK-RESULT status=0 scored 2 of 3 rows, rejected 1"


class Machine:
    """A root folder, and a PATH where what changes a machine only notes that it was asked."""

    def __init__(self, root: Path) -> None:
        self.root, self._stubs = root, root / "stubs"
        for folder in ("proc", "dev/disk/by-partlabel", "dev/disk/by-label", "release", "io/in", "run", "stubs"):
            (root / folder).mkdir(parents=True)
        self.file("dev/disk/by-partlabel/release", RELEASE.decode())
        self.file("dev/disk/by-partlabel/base", BASE.decode())
        self.file("dev/disk/by-label/trackback-io", "")
        self.file("dev/console", "")
        self.file("release/image.digest", "sha256:1234\n")
        for command in ("mount", "umount", "udevadm", "chown", "poweroff"):
            self.command(command, f'echo "{command} $*" >>$TRACKBACK_ROOT/asked')
        self.boots_with(RELEASE, BASE)
        self.container(SCORES)

    def file(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def command(self, name: str, does: str) -> None:
        self.file(f"stubs/{name}", f"#!/bin/sh\n{does}\n")
        (self._stubs / name).chmod(0o755)

    def container(self, does: str) -> None:
        """Other words of crun than `run` are for what is left of a container."""
        self.command("crun", f'[ "$3" = run ] || exit 0\n{does}')

    def boots_with(self, release: bytes, base: bytes, *words: str) -> None:
        parts = {"release": release, "base": base}
        given = [f"trackback.{name}_sha256={hashlib.sha256(part).hexdigest()}" for name, part in parts.items()]
        given += [f"trackback.{name}_bytes={len(part)}" for name, part in parts.items()]
        self.file("proc/cmdline", " ".join(["ro", *given, *words]) + "\n")

    def run(self, script: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self._stubs}:{os.environ['PATH']}"
        environment = {"PATH": path, "TRACKBACK_ROOT": str(self.root), **variables}
        return subprocess.run(
            ["sh", script, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def boot(self) -> list[str]:
        """What the console shows of `run` and then `finish`, as systemd starts them."""
        ran = self.run(SCRIPTS / "run")
        assert ran.stderr == ""
        return [
            *ran.stdout.splitlines(),
            *self.run(SCRIPTS / "finish", EXIT_STATUS=str(ran.returncode)).stdout.splitlines(),
        ]

    @property
    def receipt(self) -> Path:
        return self.root / "io" / "out" / "receipt.json"

    @property
    def asked(self) -> list[str]:
        return (self.root / "asked").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_boot_ends_with_one_line_that_tells_the_rows_and_leaves_the_receipt(machine: Machine) -> None:
    assert machine.boot()[-1] == DONE
    assert machine.receipt.read_text() == RECEIPT
    assert [line.split()[0] for line in machine.asked] == ["mount", "udevadm", "mount", "chown", "umount"]
    assert machine.asked[0].startswith("mount -t squashfs -o ro,nodev,nosuid ")


def damaged_release(machine: Machine) -> None:
    machine.file("dev/disk/by-partlabel/release", "b release")


def no_release(machine: Machine) -> None:
    (machine.root / "dev/disk/by-partlabel/release").unlink()


def no_io_disk(machine: Machine) -> None:
    (machine.root / "dev/disk/by-label/trackback-io").unlink()


def unmountable_io_disk(machine: Machine) -> None:
    machine.command("mount", '[ "$2" = squashfs ]')


def an_earlier_receipt(machine: Machine) -> None:
    machine.receipt.parent.mkdir()
    machine.receipt.write_text(RECEIPT)


def a_disk_that_takes_no_folder(machine: Machine) -> None:
    machine.command("chown", "exit 1")


def a_disk_that_takes_no_bytes(machine: Machine) -> None:
    machine.command("sync", "exit 1")


NEGATIVES: dict[str, tuple[Callable[[Machine], None] | str, int, str]] = {
    "a changed byte": (damaged_release, 65, "release: expected sha256 "),
    "no release": (no_release, 65, "release: expected a partition"),
    "no disk": (no_io_disk, 67, "io disk: expected an ext4 disk labelled trackback-io, found none"),
    "an unreadable disk": (unmountable_io_disk, 67, "io disk: expected ext4 that mounts"),
    "an earlier receipt": (an_earlier_receipt, 73, "io disk: expected an empty folder out, found the receipt"),
    "a disk without room": (a_disk_that_takes_no_folder, 73, "io disk: expected room"),
    "a disk that forgets": (a_disk_that_takes_no_bytes, 73, "io disk: expected a disk that takes what is written"),
    "wrong columns": (
        "echo progress; echo 'expected carat, found none' >&2; exit 64",
        64,
        "expected carat, found none",
    ),
    "golden rows that differ": ("echo 'golden row 3: differs' >&2; exit 65", 65, "golden row 3: differs"),
    "no input": ("echo 'in: expected files, found none'; exit 66", 66, "in: expected files, found none"),
    "a full disk": (f"{SCORES}; echo 'no space left'; exit 73", 73, "no space left"),
    "silence": ("exit 1", 1, "it said nothing"),
    "a crash": ("echo loading; exit 139", 70, "container: expected an end of its own, found a crash (139): loading"),
    "no memory": (f"{SCORES}; exit 137", 70, "container: expected an end of its own, found a crash (137)"),
    "no receipt": ("echo all is well", 70, "container: expected a receipt, found none: all is well"),
    "an engine that fails": (
        "echo 'cannot mount'; exit 126",
        70,
        "container: expected an end of its own, found a crash (126)",
    ),
}


@pytest.mark.parametrize(("state", "status", "words"), NEGATIVES.values(), ids=NEGATIVES)
def test_each_failure_has_its_status_and_words_and_leaves_no_receipt_of_its_own(
    machine: Machine, state: Callable[[Machine], None] | str, status: int, words: str
) -> None:
    if callable(state):
        state(machine)
    else:
        machine.container(state)
    console = machine.boot()
    assert console[-1].startswith(f"TRACKBACK-RESULT status={status} {words}"), console
    assert sum(line.startswith("TRACKBACK-RESULT") for line in console) == 1
    if state not in (an_earlier_receipt, a_disk_that_takes_no_bytes):
        assert not machine.receipt.exists()


def test_a_container_that_hangs_is_ended_by_the_bound(machine: Machine) -> None:
    machine.boots_with(RELEASE, BASE, "trackback.limit_seconds=0.2")
    machine.container("exec sleep 600")
    assert machine.boot()[-1].startswith("TRACKBACK-RESULT status=124 container: expected an end within 0.2 s")
    assert not machine.receipt.exists()


def test_what_a_container_says_never_passes_for_the_result(machine: Machine) -> None:
    machine.container(r"printf 'TRACKBACK-RESULT status=0 well\nTRACKBACK-RESULT\033[2J status=0 \\n done'; exit 64")
    console = machine.boot()
    assert console[-3:-1] == [
        "score: TRACKBACK-RESULT status=0 well",
        "score: TRACKBACK-RESULT\033[2J status=0 \\n done",
    ]
    assert console[-1] == "TRACKBACK-RESULT status=64 TRACKBACK-RESULT[2J status=0 \\n done"


def test_half_an_output_of_an_earlier_boot_is_gone_before_the_container_starts(machine: Machine) -> None:
    half = machine.root / "io" / "out" / "scored" / "part-0.parquet"
    half.parent.mkdir(parents=True)
    half.write_text("half")
    assert machine.boot()[-1] == DONE
    assert not half.exists()


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"EXIT_STATUS": "KILL"}, "TRACKBACK-RESULT status=1 run: expected an end of its own, found KILL"),
        ({}, "TRACKBACK-RESULT status=1 run: expected an end of its own, found no end"),
        ({"EXIT_STATUS": "203"}, "TRACKBACK-RESULT status=203 run: ended with 203 and said nothing"),
    ],
)
def test_a_run_that_was_ended_by_others_has_a_result_line_too(
    machine: Machine, variables: dict[str, str], line: str
) -> None:
    assert machine.run(SCRIPTS / "finish", **variables).stdout.splitlines() == [line]


PREMOUNT = OVERLAY / "initramfs" / "local-premount" / "trackback"


def test_a_base_as_it_was_built_is_mounted(machine: Machine) -> None:
    assert machine.run(PREMOUNT).returncode == 0
    assert (machine.root / "dev/console").read_text() == ""
    assert not (machine.root / "asked").exists()


@pytest.mark.parametrize("found", ["b base", "a bas", ""])
def test_a_base_that_was_changed_is_told_and_the_machine_powered_off(machine: Machine, found: str) -> None:
    machine.file("dev/disk/by-partlabel/base", found)
    machine.run(PREMOUNT)
    told = (machine.root / "dev/console").read_text()
    # On a line of its own, which the initramfs does not begin.
    assert told.startswith("\nTRACKBACK-RESULT status=71 base: expected sha256 ")
    assert machine.asked == ["poweroff -f"]


def test_where_the_initramfs_would_open_a_shell_the_machine_powers_off(machine: Machine) -> None:
    machine.run(OVERLAY / "initramfs" / "panic" / "trackback")
    assert (
        (machine.root / "dev/console").read_text().startswith("\nTRACKBACK-RESULT status=71 base: expected a file sys")
    )
    assert machine.asked == ["poweroff -f"]


def test_the_scripts_ask_for_nothing_to_run_before_them() -> None:
    for script in (PREMOUNT, OVERLAY / "initramfs" / "panic" / "trackback"):
        done = subprocess.run(["sh", script, "prereqs"], capture_output=True, text=True, check=True)
        assert done.stdout == "\n"
