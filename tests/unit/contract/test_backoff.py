"""Pauses between tries: longer after every failure, never longer than said, short again after a success."""

from services.contract.backoff import Backoff


def test_every_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    tries = Backoff()
    assert [tries.fail(longest=15.0) for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_after_a_success_the_first_pause_is_short_again() -> None:
    tries = Backoff(first=1.0, growth=4.0)
    assert [tries.fail(), tries.fail()] == [1.0, 4.0]
    tries.succeed()
    assert tries.fail() == 1.0


def test_a_failure_with_a_shorter_limit_shortens_those_after_it() -> None:
    tries = Backoff()
    assert [tries.fail(longest) for longest in (15.0, 15.0, 15.0, 0.5, 15.0)] == [0.5, 1.0, 2.0, 0.5, 1.0]


def test_a_try_is_due_when_the_pause_is_over() -> None:
    now = 100.0
    tries = Backoff(first=2.0, clock=lambda: now)
    assert tries.due()
    tries.fail()
    assert not tries.due()
    now = 102.0
    assert tries.due()
