"""Ends a program on a signal as an error would: every `finally` and every `with` is left in order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


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
