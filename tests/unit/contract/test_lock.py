"""One process at a time on a folder, and who it is."""

import multiprocessing
import os
import re
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.lock import lock

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
