"""A program that is asked to end leaves everything in order, with the exit status that it says."""

import signal

import pytest

from services.contract.signals import exit_on


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
