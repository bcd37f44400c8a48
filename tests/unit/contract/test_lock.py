"""One process at a time on a folder, and who it is."""

import multiprocessing
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.lock import lock
from services.contract.waiting import retry

_DAY = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def hold(path: Path) -> None:
    lock(path, "machine", "wait")
    os._exit(0)


def test_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with lock(tmp_path / "lock", "machine", "wait"), pytest.raises(Refused) as refused:
        lock(tmp_path / "lock", "machine", "wait")
    expected = f"expected no other machine on {tmp_path}, found the one of process {os.getpid()} since {_DAY} UTC: wait"
    assert re.fullmatch(expected, str(refused.value))


def test_a_lock_that_was_closed_is_free_and_names_the_next_holder_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("a longer text than any number of a process\n")
    lock(tmp_path / "lock", "machine", "wait").close()
    with lock(tmp_path / "lock", "machine", "wait"):
        assert re.fullmatch(f"{os.getpid()} since {_DAY} UTC\n", (tmp_path / "lock").read_text())


@pytest.mark.process
def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    other = multiprocessing.get_context("fork").Process(target=hold, args=(tmp_path / "lock",))
    other.start()
    other.join()
    lock(tmp_path / "lock", "machine", "wait").close()


@pytest.mark.process
def test_a_child_that_a_killed_holder_was_just_starting_is_waited_for(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    reading, writing = os.pipe()
    if (holder := os.fork()) == 0:
        _held = lock(place, "machine", "wait")
        if os.fork() == 0:
            # As a child does between fork and exec, until the test lets it go.
            os.close(writing)
            os.read(reading, 1)
        os._exit(0)
    os.waitpid(holder, 0)

    def after_a_refusal(ask: Callable[[], None], seconds: float, passing: tuple[type[Exception], ...]) -> None:
        with pytest.raises(passing):
            ask()
        os.close(writing)
        retry(ask, seconds, passing)

    lock(place, "machine", "wait", after_a_refusal).close()
    os.close(reading)
