"""A process is known again by what no clock can change."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.contract.errors import Refused
from services.contract.process_identity import identity, start_ticks, ticks_a_second
from services.embedded.agent.process_trees import end_trees
from services.rollout.processes.listeners import Listeners
from services.rollout.processes.serving_process import ProcessRecord, ServingProcess

pytestmark = pytest.mark.process


PAUSED = "import signal; signal.pause()"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", PAUSED]) as process:
        yield process
        process.kill()


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Puts the wall clock forward as psutil sees it, which adds a process's ticks to the time of the boot."""
    started = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: started + seconds)


def serving(
    child: subprocess.Popen[bytes], noted: str | float | None, folder: Path, load_seconds: float = 1.0
) -> ServingProcess:
    record = ProcessRecord.model_validate(
        {"model": "toy", "release": "a" * 64, "pid": child.pid, "started": noted},
    )
    return ServingProcess(record, folder / "control", Listeners("127.0.0.1", 0, folder), load_seconds)


def test_a_step_of_the_clock_leaves_a_serving_process_known(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = identity(child.pid)
    set_clock(monkeypatch, 3600)
    assert serving(child, noted, tmp_path).alive()


def test_a_step_of_the_clock_leaves_a_task_known(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = identity(child.pid)
    set_clock(monkeypatch, 3600)
    end_trees([(child.pid, noted)])
    assert identity(child.pid) is None


def test_a_number_that_names_another_process_now_is_left_alone(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    boot, _, ticks = str(identity(child.pid)).partition("/")
    for other in (f"{boot}/{int(ticks) + 1}", f"another-start-of-the-machine/{ticks}"):
        end_trees([(child.pid, other)])
        assert child.poll() is None
        assert not serving(child, other, tmp_path).alive()


def test_a_process_that_is_not_ready_in_time_is_not_blamed_for_a_busy_machine(
    child: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=r"ready within 0\.1 s, it was not: the machine is busy with others, or it hangs"):
        serving(child, identity(child.pid), tmp_path, load_seconds=0.1).wait_ready()


def test_what_an_earlier_version_noted_is_read_and_names_nobody(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert not serving(child, psutil.Process(child.pid).create_time(), tmp_path).alive()


@pytest.mark.parametrize("name", ["plain", "a ) 1 2 (3"])
def test_the_start_is_the_one_that_psutil_reads_as_well_whatever_the_name(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as named:
        seconds = psutil.Process(named.pid)._proc.create_time(monotonic=True)  # type: ignore[attr-defined]  # noqa: SLF001
        assert start_ticks(named.pid) == round(seconds * ticks_a_second())


def test_a_process_that_is_gone_has_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert identity(process.pid) is None
