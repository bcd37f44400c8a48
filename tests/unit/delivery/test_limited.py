"""Somebody else's model is judged by what it takes, and never by how long the machine lets it wait."""

import sys
from pathlib import Path

import pytest

from services.contract.errors import Refused, Undecided
from services.delivery.scoring.limited import Seconds, run_limited

pytestmark = pytest.mark.process

PYTHON = Path(sys.executable)


def refusal(code: str, seconds: Seconds) -> Refused:
    with pytest.raises(Refused) as caught:
        run_limited(PYTHON, ["-c", code], seconds)
    return caught.value


def test_what_the_program_says_comes_back() -> None:
    assert run_limited(PYTHON, ["-c", "print('said')"]) == "said\n"


def test_a_program_that_computes_for_ever_is_refused_by_its_processor_time() -> None:
    found = refusal("while True: pass", Seconds(cpu=1))
    assert not isinstance(found, Undecided)
    assert str(found) == "expected answers within 1 s of CPU, found none"


def test_a_program_that_is_not_done_by_the_clock_is_inconclusive_and_told_with_its_processor_time() -> None:
    found = refusal("import signal; signal.pause()", Seconds(clock=0.5))
    assert isinstance(found, Undecided)
    assert str(found).startswith("inconclusive: no answers within 0.5 s and ")
    assert str(found).endswith(
        "the machine is busy with others, or the model waits for something: run this stage again"
    )


def test_a_program_that_the_machine_killed_is_inconclusive() -> None:
    found = refusal("import os; os.kill(os.getpid(), 9)", Seconds())
    assert isinstance(found, Undecided)
    assert "for want of memory" in str(found)


def test_a_program_that_fails_is_refused_with_its_last_word() -> None:
    found = refusal("raise SystemExit('no such model')", Seconds())
    assert (str(found), isinstance(found, Undecided)) == ("no such model (exit 1)", False)


def test_the_net_below_is_wider_than_the_limit_and_narrower_than_gocds_own() -> None:
    """A job may be silent for 10 minutes; on one processor the limit must be reached before the net."""
    assert Seconds().cpu < Seconds().clock < 10 * 60
