"""Ends a program on a signal as an error would: every `finally` and every `with` is left in order."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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

    Python drops what is raised in a finalizer or in a callback from C, where a signal may find a library.
    """
    with ExitStack() as stack:
        for number in signals:
            stack.enter_context(_insistent(number))
        yield


@contextmanager
def _insistent(number: signal.Signals) -> Iterator[None]:
    ended, left, again = SystemExit(128 + number), Event(), Event()

    def insist() -> None:
        while not left.wait(_SECONDS_BETWEEN):
            again.set()
            signal.pthread_kill(main_thread().ident or 0, number)

    insisting = Thread(target=insist, daemon=True)

    def stop(_number: int, _frame: FrameType | None) -> None:
        if again.is_set() and _is_handled(ended):
            again.clear()
            return
        if insisting.ident is None:
            insisting.start()
        raise ended

    before = signal.signal(number, stop)
    try:
        yield
    finally:
        left.set()
        if insisting.ident is not None:
            insisting.join()
        signal.signal(number, before)


def _is_handled(error: BaseException) -> bool:
    """Whether it is on its way out just now: what it leaves in order may take its time."""
    handled = sys.exc_info()[1]
    return handled is not None and any(one is error for one in causes(handled))
