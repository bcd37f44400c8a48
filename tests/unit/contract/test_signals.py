"""A program that is asked to end leaves everything in order, with the exit status that it says."""

import ctypes
import os
import signal
import threading

import pytest

from services.contract.signals import exit_on, surely_exit_on
from services.contract.waiting import wait_until


def test_a_signal_ends_what_runs_by_an_exit_with_the_status() -> None:
    left_in_order = []
    with pytest.raises(SystemExit) as ended, exit_on(signal.SIGUSR1, signal.SIGUSR2, status=143):
        try:
            signal.raise_signal(signal.SIGUSR2)
        finally:
            left_in_order.append(True)
    assert (ended.value.code, left_in_order) == (143, [True])


def test_afterwards_a_signal_does_what_it_did_before() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with exit_on(signal.SIGUSR1):
            pass
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exit_that_a_callback_from_c_drops_comes_again() -> None:
    calls: list[int] = []

    def called(_: int) -> None:
        calls.append(1)
        signal.raise_signal(signal.SIGUSR1)

    with pytest.raises(SystemExit) as ended, surely_exit_on(signal.SIGUSR1):
        ctypes.CFUNCTYPE(None, ctypes.c_int)(called)(0)
        wait_until(lambda: False, "the exit, a second time", 60)
    assert (ended.value.code, calls) == (128 + signal.SIGUSR1, [1])


def test_what_an_exit_leaves_in_order_is_not_interrupted_by_its_own_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.contract.signals._SECONDS_BETWEEN", 0.001)
    heard = threading.Event()
    left_in_order = []

    with pytest.raises(SystemExit), surely_exit_on(signal.SIGUSR1):
        try:
            signal.raise_signal(signal.SIGUSR1)
        finally:
            repeated = signal.getsignal(signal.SIGUSR1)
            assert callable(repeated)

            def counted(number: int, frame: object) -> None:
                repeated(number, frame)  # type: ignore[arg-type]
                heard.set()

            signal.signal(signal.SIGUSR1, counted)
            wait_until(heard.is_set, "a repetition", 60)
            left_in_order.append(True)
    assert left_in_order == [True]


def test_a_second_signal_from_outside_ends_what_the_first_leaves_in_order() -> None:
    with pytest.raises(SystemExit) as ended, surely_exit_on(signal.SIGUSR1):
        try:
            signal.raise_signal(signal.SIGUSR1)
        finally:
            signal.raise_signal(signal.SIGUSR1)
            pytest.fail("expected the second signal to end this")
    assert ended.value.code == 128 + signal.SIGUSR1


def test_a_signal_that_interrupts_no_read_ends_it_all_the_same() -> None:
    """As one does that comes after Python looked for signals and before the read: here another thread gets it."""
    reading, writing = os.pipe()
    elsewhere = threading.Thread(target=signal.raise_signal, args=(signal.SIGUSR1,))
    pipe = os.fdopen(reading, "rb", buffering=0)
    with pipe, os.fdopen(writing, "wb"), pytest.raises(SystemExit) as ended, surely_exit_on(signal.SIGUSR1):
        threading.Timer(0.0, elsewhere.start).start()
        pipe.read(1)
    assert ended.value.code == 128 + signal.SIGUSR1
