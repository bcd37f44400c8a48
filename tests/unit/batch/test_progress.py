"""Progress says rows, parts, rate and what is left; a terminal has one line that changes."""

import io

from services.batch.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_has_a_line_now_and_then_and_one_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(1000, 4, stream, clock)
    for seconds in (4, 8, 12, 16):
        clock.now = 100.0 + seconds
        progress.add(250)
    assert stream.getvalue().splitlines() == [
        "750 of 1000 rows, 3 of 4 parts, 62 rows/s, 4 s left",
        "1000 of 1000 rows, 4 of 4 parts, 62 rows/s",
    ]


def test_a_terminal_has_one_line_until_the_end() -> None:
    stream, clock = Terminal(), Clock()
    progress = Progress(20, 2, stream, clock)
    for _ in range(2):
        clock.now += 1
        progress.add(10)
    assert stream.getvalue() == (
        "\r\x1b[K10 of 20 rows, 1 of 2 parts, 10 rows/s, 1 s left\r\x1b[K20 of 20 rows, 2 of 2 parts, 10 rows/s\n"
    )


def test_what_a_run_before_had_done_is_said_and_does_not_count_for_the_rate() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(100, 2, stream, clock)
    progress.resumed(90, 1)
    clock.now += 10
    progress.add(10)
    assert stream.getvalue().splitlines() == [
        "goes on: 1 of 2 parts (90 rows) are there from a run before",
        "100 of 100 rows, 2 of 2 parts, 1 rows/s",
    ]
