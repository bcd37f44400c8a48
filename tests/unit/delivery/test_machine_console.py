"""What the host makes of a machine's console: its lines, its one result, its silence and its end."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.signals import surely_exit_on
from services.delivery.machine_image.accelerator import PROBE_SECONDS, choose, console_of
from services.delivery.machine_image.console import LONGEST, Lines, Result, result_of
from services.delivery.machine_image.followed import follow
from services.delivery.machine_image.qemu import Accelerator, Bus, Kernel, Machine, command
from tests.support.poll import poll_until

PATIENT = 600.0


def test_the_result_is_the_status_and_the_words() -> None:
    lines = ["Loading", "TRACKBACK-RESULT status=65 release: expected a, found b", "[ 9.1] reboot: Power down"]
    assert result_of(lines) == Result(65, "release: expected a, found b")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], "found 0: the last line is 'nothing'"),
        (["Kernel panic", ""], "found 0: the last line is 'Kernel panic'"),
        (["TRACKBACK-RESULT status=0 a", "TRACKBACK-RESULT status=0 a"], "found 2: "),
        (["score: TRACKBACK-RESULT status=0 of the container"], "found 0: "),
        (["TRACKBACK-RESULT status=0"], "found 0: "),
        (["TRACKBACK-RESULT status=zero well"], "found 0: "),
    ],
)
def test_without_exactly_one_result_line_a_boot_has_failed(lines: list[str], found: str) -> None:
    with pytest.raises(Refused, match=found):
        result_of(lines)


def test_lines_are_cut_wherever_the_bytes_were() -> None:
    lines = Lines()
    cut = [
        list(lines.add(chunk))
        for chunk in (b"\x1b[H\x1b[Jgr", b"ub\r\nTRACKBACK-", b"RESULT status=0 well\r\nre", b"st")
    ]
    assert [*cut, list(lines.end())] == [[], ["grub"], ["TRACKBACK-RESULT status=0 well"], [], ["rest"]]


def test_nothing_that_a_machine_says_moves_the_terminal_or_hides_a_line() -> None:
    (line,) = Lines().add(b"score:\ta\rTRACKBACK-RESULT status=0 b\x1b]0;title\x07\xff\x00\n")
    assert line == "score:  a?TRACKBACK-RESULT status=0 b]0;title???"


def test_a_line_without_an_end_is_told_in_parts() -> None:
    assert [len(line) for line in Lines().add(b"a" * (LONGEST + 1))] == [LONGEST + 1]


def test_a_machine_has_no_network_and_its_image_stays_as_it_is() -> None:
    words = command(Machine(Path("/store/a,b.raw"), Path("/store/io.raw")))
    assert words[:4] == ["setpriv", "--pdeathsig", "KILL", "--"]
    assert words[words.index("-nic") + 1] == "none"
    assert "if=none,id=image,format=raw,file=/store/a,,b.raw,snapshot=on" in words
    assert "if=none,id=io,format=raw,file=/store/io.raw" in words
    assert words[words.index("-machine") + 1] == "q35,accel=tcg"
    assert "-kernel" not in words


def test_firmware_bus_and_accelerator_are_what_was_asked_for() -> None:
    kernel = Kernel(Path("vmlinuz"), Path("initrd.img"), "ro quiet")
    words = command(
        Machine(Path("a.raw"), bus=Bus.NVME, accelerator=Accelerator.KVM, kernel=kernel, variables=Path("vars.fd"))
    )
    assert "nvme,serial=image,bootindex=1,drive=image" in words
    assert words[words.index("-cpu") + 1] == "host"
    assert words[words.index("-append") + 1] == "ro quiet"
    assert [word for word in words if "pflash" in word][1] == "if=pflash,format=raw,file=vars.fd"


def test_without_a_kvm_device_nothing_is_tried(tmp_path: Path) -> None:
    def never(*_: object) -> str:
        raise AssertionError

    assert choose(tmp_path / "vmlinuz", tmp_path / "kvm", never) is Accelerator.TCG


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Linux version 6.1\nKernel panic - not syncing: VFS: Unable to mount root fs", Accelerator.KVM),
        ("early console in extract_kernel\nProbing EDD (edd=off to disable)... ok", Accelerator.TCG),
        ("", Accelerator.TCG),
        ("Kernel panic - not syncing: Attempted to kill init", Accelerator.TCG),
    ],
)
def test_kvm_is_taken_only_where_a_kernel_comes_up(tmp_path: Path, said: str, expected: Accelerator) -> None:
    (tmp_path / "kvm").touch()
    asked: list[list[str]] = []

    def run(words: Sequence[str], seconds: float) -> str:
        assert seconds == PROBE_SECONDS
        asked.append(list(words))
        return said

    assert choose(tmp_path / "vmlinuz", tmp_path / "kvm", run) is expected
    assert "q35,accel=kvm" in asked[0]
    assert "-drive" not in asked[0]


@pytest.mark.process
def test_a_probe_that_hangs_is_ended_and_what_it_said_counts() -> None:
    assert console_of(["sh", "-c", "echo Probing EDD; exec sleep 600"], 0.2).strip() == "Probing EDD"


@pytest.mark.process
def test_each_line_is_told_and_returned() -> None:
    told: list[str] = []
    assert follow(["sh", "-c", "echo one; printf two"], PATIENT, told.append) == ["one", "two"]
    assert told == ["one", "two"]


@pytest.mark.process
def test_a_machine_that_says_nothing_is_ended(tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/pid; echo Loading; exec sleep 600"
    with pytest.raises(Refused, match="expected a word of the machine within 0.005 minutes, found none"):
        follow(["sh", "-c", script], 0.3, lambda _: None)
    assert is_gone(tmp_path / "pid")


@pytest.mark.process
def test_qemus_own_last_word_is_told_when_it_does_not_start() -> None:
    with pytest.raises(Refused, match="found 1: qemu: could not open disk"):
        follow(["sh", "-c", "echo a >&2; echo 'qemu: could not open disk' >&2; exit 1"], PATIENT, lambda _: None)


@pytest.mark.process
def test_a_program_that_is_told_to_end_leaves_no_machine(tmp_path: Path) -> None:
    def end(_: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(PATIENT)

    script = f"echo $$ >{tmp_path}/pid; echo Loading; exec sleep 600"
    with surely_exit_on(signal.SIGTERM), pytest.raises(SystemExit) as ended:
        follow(["sh", "-c", script], PATIENT, end)
    assert ended.value.code == 143
    assert is_gone(tmp_path / "pid")


@pytest.mark.process
def test_a_program_that_is_killed_leaves_no_machine(tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/pid; echo Loading; exec sleep 600"
    words = [*command(Machine(None))[:4], "sh", "-c", script]
    code = f"from services.delivery.machine_image.followed import follow; follow({words!r}, 600.0, print)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) as host:
        poll_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), "a machine")
        host.kill()
        host.wait()
    poll_until(lambda: is_gone(tmp_path / "pid"), "the machine to end")


def is_gone(noted: Path) -> bool:
    return not Path(f"/proc/{noted.read_text().strip()}").exists()
