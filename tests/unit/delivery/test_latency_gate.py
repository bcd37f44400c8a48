"""The gate on time: a slow model fails, a good one passes on a machine that is busy with others, and nothing stays."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from services.contract.asking import time_each
from services.contract.prediction import Prediction
from services.contract.row_times import Round, RowTime, by_clock, own
from services.contract.stopwatch import ROUNDS, TIMED_ROWS, queue_of_this_thread, time_rows
from services.contract.verdict import Verdict
from services.delivery.gates.latency import figures, judge_latency
from tests.support.busy_machine import burn, busy_processor, needs_queue

LIMIT_MS = 60.0


def took(clock: float, cpu: float, queued: float | None = 0.0, helped: float = 0.0, paused: bool = True) -> RowTime:
    return RowTime(clock=clock, thread=cpu, process=cpu + helped, queued=queued, paused=paused)


def judged(*rounds: list[RowTime]) -> tuple[str, str]:
    check = judge_latency([Round(rows=tuple(one)) for one in rounds], LIMIT_MS)
    return check.verdict.value, check.found


def test_within_the_limit_passes() -> None:
    assert judged([took(60.0, 60.0)] * 100) == ("pass", "p99 60.0 ms")


def test_one_row_of_a_hundred_may_be_slower_and_two_may_not() -> None:
    quick, slow = took(1.0, 1.0), took(61.0, 61.0)
    assert judged([quick] * 99 + [slow])[0] == "pass"
    assert judged([quick] * 98 + [slow] * 2)[0] == "fail"


def test_a_wait_for_a_processor_is_not_the_models_and_both_figures_are_told() -> None:
    assert judged([took(119.6, 3.1, queued=116.5)]) == (
        "pass",
        "p99 3.1 ms, 119.6 ms by the clock: the machine is busy with others",
    )


def test_time_that_a_host_took_away_is_not_the_models_although_no_queue_shows_it() -> None:
    assert judged([took(119.6, 3.1, paused=False)])[0] == "pass"
    assert judged([took(119.6, 3.1, queued=None, paused=False)])[0] == "pass"
    assert judged([took(119.6, 61.0, paused=False)])[0] == "fail"


@pytest.mark.process
@pytest.mark.parametrize(("deed", "paused"), [(lambda _: burn(5), False), (lambda _: time.sleep(0.005), True)])
def test_a_pause_is_told_from_a_processor_that_was_taken_away(deed: Callable[[int], object], paused: bool) -> None:
    with busy_processor():
        (found,) = time_rows(deed, range(20), limit_ms=1e9)
    assert [row.paused for row in found.rows].count(paused) >= 15


def test_the_best_round_counts() -> None:
    assert judged([took(90.0, 90.0)], [took(20.0, 20.0)], [took(80.0, 80.0)]) == ("pass", "p99 20.0 ms")


def test_processor_time_beyond_the_limit_in_every_round_fails() -> None:
    assert judged([took(300.0, 90.0, queued=210.0)], [took(80.0, 80.0)]) == (
        "fail",
        "p99 80.0 ms, 80.0 ms of CPU, in the best of 2",
    )


def test_a_model_that_sleeps_fails_however_little_of_a_processor_it_takes() -> None:
    assert judged([took(80.0, 0.1)]) == ("fail", "p99 80.0 ms, 0.1 ms of CPU, in the best of 1")
    assert judged([took(380.0, 0.1, queued=300.0)])[0] == "fail"


def test_a_miss_by_the_clock_is_inconclusive_where_the_kernel_does_not_count_waiting() -> None:
    assert judged([took(119.6, 3.1, queued=None)]) == (
        "inconclusive",
        "the machine is busy with others (p99 119.6 ms by the clock, 3.1 ms of CPU): run this stage again",
    )
    assert judged([took(119.6, 3.1, queued=None)], [took(60.0, 3.1, queued=None)])[0] == "pass"
    assert judged([took(119.6, 61.0, queued=None)])[0] == "fail"


def test_the_wait_of_other_threads_that_helped_is_not_known() -> None:
    assert judged([took(119.6, 1.0, helped=40.0)])[0] == "inconclusive"
    assert judged([took(119.6, 61.0, helped=40.0)])[0] == "fail"


def test_figures_are_those_of_the_best_round() -> None:
    rounds = [
        Round(rows=(took(90.0, 90.0),)),
        Round(rows=(took(30.0, 4.0, queued=26.0), took(5.0, 5.0), took(6.0, 6.0))),
    ]
    assert figures(rounds) == {"p50": 5.0, "p99": 6.0, "p99_by_the_clock": 30.0}
    assert figures([]) == {}


def verdict_on(deed: Callable[[], object], rows: int = 12) -> tuple[Verdict, tuple[Round, ...]]:
    """Of a model that does something for every row."""

    def predict(asked: Sequence[int]) -> list[Prediction]:
        for _ in asked:
            deed()
        return [1.0] * len(asked)

    rounds = time_each(predict, range(rows), ValueError, LIMIT_MS)
    return judge_latency(rounds, LIMIT_MS).verdict, rounds


@pytest.mark.process
@needs_queue
def test_a_good_model_passes_beside_busy_loops_although_the_clock_says_no() -> None:
    with busy_processor():
        verdict, rounds = verdict_on(lambda: burn(LIMIT_MS / 3))
    assert verdict is Verdict.PASS
    # A fifth of the processor is this thread's.
    assert max(one.p99(by_clock) for one in rounds) > LIMIT_MS
    assert rounds[-1].percentile(0.5, own) >= LIMIT_MS / 3


@pytest.mark.process
@needs_queue
@pytest.mark.parametrize("machine", [busy_processor, nullcontext], ids=["busy", "as it is"])
@pytest.mark.parametrize(
    "deed",
    [lambda: burn(LIMIT_MS + 5), lambda: time.sleep((LIMIT_MS + 5) / 1000)],
    ids=["computes", "sleeps"],
)
def test_a_model_that_is_really_slow_fails_in_every_round(
    deed: Callable[[], object], machine: Callable[[], Any]
) -> None:
    with machine():
        verdict, rounds = verdict_on(deed)
    assert (verdict, len(rounds)) == (Verdict.FAIL, ROUNDS)


@pytest.mark.thorough
def test_a_model_that_lets_other_threads_be_slow_never_passes() -> None:
    def delegate() -> None:
        worker = Thread(target=burn, args=(LIMIT_MS + 5,))
        worker.start()
        worker.join()

    assert verdict_on(delegate)[0] is Verdict.INCONCLUSIVE


def test_a_hundred_rows_are_timed_and_a_round_within_the_limit_is_enough() -> None:
    asked: list[int] = []
    (found,) = time_rows(asked.append, range(TIMED_ROWS + 5), limit_ms=1e9)
    assert asked == list(range(TIMED_ROWS))
    assert len(found.rows) == TIMED_ROWS
    assert time_rows(asked.append, [], limit_ms=1.0) == ()


def test_a_miss_is_measured_again_until_the_rounds_are_done() -> None:
    assert [len(one.rows) for one in time_rows(lambda _: None, range(3), limit_ms=0.0)] == [3] * ROUNDS


@pytest.mark.parametrize("content", ["0 0 0\n", None])
def test_a_kernel_that_does_not_count_the_wait_is_told_from_one_without_any(
    content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "schedstat"
    if content is not None:
        file.write_text(content)
    with queue_of_this_thread(file) as queue:
        assert queue() is None


def test_the_wait_is_the_second_number(tmp_path: Path) -> None:
    (tmp_path / "schedstat").write_text("0 1527309 1\n")
    with queue_of_this_thread(tmp_path / "schedstat") as queue:
        assert queue() == 1_527_309
