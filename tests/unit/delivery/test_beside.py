"""Work beside a child process begins at once, is done once, and fails where it is asked for."""

import threading

import pytest

from services.contract.errors import Refused
from services.delivery.scoring.beside import beside


def test_it_begins_before_anybody_asks_and_is_done_once() -> None:
    begun, calls = threading.Event(), []

    def work() -> int:
        calls.append(threading.current_thread())
        begun.set()
        return 7

    ask = beside(work)
    assert begun.wait(60)
    assert [ask(), ask()] == [7, 7]
    assert len(calls) == 1
    assert calls[0] is not threading.current_thread()


def test_what_it_refuses_is_refused_where_its_result_is_asked_for() -> None:
    def work() -> int:
        raise Refused("expected rows, found none")

    ask = beside(work)
    with pytest.raises(Refused, match="expected rows, found none"):
        ask()
