"""Ends a program on a signal as an error would: every `finally` and every `with` is left in order."""

import os
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import NoReturn

from services.contract.errors import causes

_SECONDS_BETWEEN = 0.5


@contextmanager
def keeping_interrupt() -> Iterator[None]:
    """Leaves Ctrl-C to the program, which ends in order, where a library inside would take it: Spark does."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGINT, before)


@contextmanager
def exit_on(*signals: signal.Signals, status: int = 0) -> Iterator[None]:
    """Inside, each of the signals raises SystemExit with this status in the main thread, where this is entered.

    What was done on these signals before is done again afterwards.
    """

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(status)

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def surely_exit_on(*signals: signal.Signals) -> Iterator[None]:
    """Inside, each of the signals raises SystemExit with 128 and its number, as shells do, until it is heeded.

    Python drops what is raised in a finalizer or in a callback from C, where a signal may find a library. And of one
    that comes just before a read which nothing ends it tells nobody at all.
    """
    insisting = _Insisting(signals)
    before = {number: signal.signal(number, insisting.stop) for number in signals}
    try:
        with insisting.told():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Insisting:
    """Raises the exit of a signal, and sends the signal again for as long as the main thread does not heed it."""

    def __init__(self, signals: Collection[int]) -> None:
        self._signals = signals
        self._left, self._again = Event(), Event()
        self._ended: dict[int, SystemExit] = {}

    def stop(self, number: int, _frame: FrameType | None) -> None:
        ended = self._ended.setdefault(number, SystemExit(128 + number))
        if self._again.is_set() and _is_handled(ended):
            self._again.clear()
            return
        raise ended

    @contextmanager
    def told(self) -> Iterator[None]:
        """Inside, the number of every signal comes as a byte, which Python writes before anything else."""
        # No socket, which whoever scores in a machine image may not make.
        coming, told = os.pipe()
        os.set_blocking(told, False)
        thread = Thread(target=self._insist, args=(coming,), daemon=True)
        thread.start()
        before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        try:
            yield
        finally:
            self._left.set()
            signal.set_wakeup_fd(before)
            os.close(told)
            thread.join()
            os.close(coming)

    def _insist(self, coming: int) -> None:
        # Of others that Python hears of, a child's end for one, nobody exits.
        while (number := os.read(coming, 1)) and number[0] not in self._signals:
            pass
        while number and not self._left.wait(_SECONDS_BETWEEN):
            self._again.set()
            signal.pthread_kill(main_thread().ident or 0, number[0])


def _is_handled(error: BaseException) -> bool:
    """Whether it is on its way out just now: what it leaves in order may take its time."""
    handled = sys.exc_info()[1]
    return handled is not None and any(one is error for one in causes(handled))
