"""Somebody else's model is judged by what it takes, and never by how long the machine lets it wait."""

import sys
from pathlib import Path

import pytest

from services.contract.errors import Refused, Undecided
from services.delivery.scoring.limited import Limits, run_limited
from services.delivery.scoring.no_network import can_leave_network
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

PYTHON = Path(sys.executable)


def refusal(code: str, limits: Limits) -> Refused:
    with pytest.raises(Refused) as caught:
        run_limited(PYTHON, ["-c", code], limits)
    return caught.value


def test_what_the_program_says_comes_back() -> None:
    assert run_limited(PYTHON, ["-c", "print('said')"]) == "said\n"


def test_a_program_that_computes_for_ever_is_refused_by_its_processor_time() -> None:
    found = refusal("while True: pass", Limits(cpu=1))
    assert not isinstance(found, Undecided)
    assert str(found) == "expected answers within 1 s of CPU, found none"


def test_a_program_that_is_not_done_by_the_clock_is_inconclusive_and_told_with_its_processor_time() -> None:
    found = refusal("import signal; signal.pause()", Limits(clock=0.5))
    assert isinstance(found, Undecided)
    assert str(found).startswith("inconclusive: no answers within 0.5 s and ")
    assert str(found).endswith(
        "the machine is busy with others, or the model waits for something: run this stage again"
    )


def test_a_program_that_the_machine_killed_is_inconclusive() -> None:
    found = refusal("import os; os.kill(os.getpid(), 9)", Limits())
    assert isinstance(found, Undecided)
    assert "for want of memory" in str(found)


def test_a_program_that_fails_is_refused_with_its_last_word() -> None:
    found = refusal("raise SystemExit('no such model')", Limits())
    assert (str(found), isinstance(found, Undecided)) == ("no such model (exit 1)", False)


def test_a_program_that_breaks_is_refused_with_the_signal_that_ended_it() -> None:
    found = refusal("import ctypes; ctypes.string_at(0)", Limits())
    assert (str(found), isinstance(found, Undecided)) == ("no message (ended by SIGSEGV)", False)


def test_a_program_that_asks_for_more_memory_than_its_budget_is_refused_in_those_words() -> None:
    found = refusal("bytearray(3 * 10**9)", Limits(memory_megabytes=500))
    assert str(found) == "expected at most 500 MB of memory, found that it asks for more: MemoryError"


def test_a_program_that_prints_without_end_is_stopped_by_its_file() -> None:
    found = refusal("while True: print('x' * 10**6)", Limits())
    assert "File too large" in str(found)


def test_what_a_program_leaves_running_ends_with_it() -> None:
    code = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']).pid)"
    )
    left = int(run_limited(PYTHON, ["-c", code], Limits(clock=60)))
    poll_until(lambda: not is_running(left), "the end of what was left running", pause=0.01)


def is_running(process: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not can_leave_network(), reason="this kernel lets nobody leave its network: no namespaces")
def test_a_program_sees_a_loopback_of_its_own_and_no_other_network() -> None:
    code = (
        "import socket; print([name for _, name in socket.if_nameindex()]);"
        "server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname()); print('up')"
    )
    assert run_limited(PYTHON, ["-c", code]) == "['lo']\nup\n"


def test_the_net_below_is_wider_than_the_limit_and_narrower_than_gocds_own() -> None:
    """A job may be silent for 10 minutes; on one processor the limit must be reached before the net."""
    assert Limits().cpu < Limits().clock < 10 * 60
