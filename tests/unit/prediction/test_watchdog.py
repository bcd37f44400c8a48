"""A worker that hangs is told from one that is slow, starved, or watched late."""

import pytest

from services.prediction.workers.pulse import Page, Pulse
from services.prediction.workers.watchdog import HANG_SECONDS, LOOK_SECONDS, SLOWER, START_SECONDS, Watchdog

# So many looks at a worker that stands still come to more than a turn may take.
LOOKS = int(HANG_SECONDS / LOOK_SECONDS) + 1


class Queue:
    """The seconds for which a worker has waited for a processor."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def pulse() -> Pulse:
    return Page(1).pulse(0)


def looks(watchdog: Watchdog, elapsed: float = LOOK_SECONDS, count: int = LOOKS) -> list[bool]:
    return [watchdog.hangs(elapsed) for _ in range(count)]


def test_a_worker_whose_loop_stands_still_hangs(pulse: Pulse) -> None:
    assert looks(Watchdog(pulse, Queue())) == [False] * (LOOKS - 1) + [True]


def test_a_worker_whose_loop_comes_round_does_not_hang(pulse: Pulse) -> None:
    watchdog = Watchdog(pulse, Queue())
    for _ in range(3):
        assert not any(looks(watchdog, count=LOOKS - 1))
        pulse.beat()


def test_a_worker_that_waits_for_a_processor_does_not_hang(pulse: Pulse) -> None:
    queue = Queue()
    watchdog = Watchdog(pulse, queue)
    for _ in range(20 * LOOKS):
        queue.seconds += 0.98 * LOOK_SECONDS
        assert not watchdog.hangs(LOOK_SECONDS)


def test_the_delays_of_who_watches_are_not_the_workers(pulse: Pulse) -> None:
    watchdog = Watchdog(pulse, Queue())
    assert not watchdog.hangs(1000.0)
    assert looks(watchdog)[-1]


def test_a_turn_with_a_large_body_and_many_rows_may_take_as_long_as_golden_rows_did_a_few_times_over(
    pulse: Pulse,
) -> None:
    pulse.show_row_seconds(0.01)
    pulse.work_on(600)
    pulse.work_on(400)
    pulse.show_body_seconds(1.5)
    watchdog = Watchdog(pulse, Queue())
    assert watchdog.allowed == HANG_SECONDS + 1.5 + SLOWER * 10.0
    slow = int(watchdog.allowed / LOOK_SECONDS)
    assert not any(looks(watchdog, count=slow))
    assert watchdog.hangs(LOOK_SECONDS)


def test_a_worker_that_starts_may_take_longer_and_not_for_ever(pulse: Pulse) -> None:
    watchdog = Watchdog(pulse, Queue(), is_starting=True)
    assert not any(looks(watchdog, count=int(START_SECONDS / LOOK_SECONDS)))
    assert watchdog.hangs(LOOK_SECONDS)


def test_rows_of_an_earlier_turn_allow_nothing(pulse: Pulse) -> None:
    pulse.show_row_seconds(0.01)
    pulse.work_on(1000)
    pulse.beat()
    assert Watchdog(pulse, Queue()).allowed == HANG_SECONDS
