"""Waiting for a condition or for a service that is being restarted, and what is said when it does not come."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from services.contract.waiting import NotInTime, retry, wait_until


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only pauses move."""
    made: list[float] = []
    clock = SimpleNamespace(sleep=made.append, monotonic=lambda: sum(made))
    monkeypatch.setattr("services.contract.waiting.time", clock)
    return made


def test_the_first_true_answer_is_returned_without_a_further_question(pauses: list[float]) -> None:
    answers: Iterator[int] = iter([0, 0, 7])
    assert wait_until(lambda: next(answers), "an answer", 60, pause=2.0) == 7
    assert (next(answers, None), pauses) == (None, [2.0, 2.0])


def test_a_condition_is_asked_once_however_short_the_time(pauses: list[float]) -> None:
    assert wait_until(lambda: True, "an answer", 0)
    assert pauses == []


def test_what_did_not_come_is_named_with_the_time_and_with_what_was_found_last(pauses: list[float]) -> None:
    looks: list[int] = []
    with pytest.raises(NotInTime) as refused:
        wait_until(lambda: looks.append(1), "an answer", 10, found=lambda: f"found {len(looks)} looks", pause=4.0)
    assert str(refused.value) == "expected an answer within 10 s, found 4 looks"
    assert pauses == [4.0, 4.0, 4.0]


def test_only_what_passes_is_asked_again() -> None:
    errors = iter([OSError("away"), OSError("away"), KeyError("a fault")])

    def ask() -> None:
        raise next(errors)

    with pytest.raises(KeyError):
        retry(ask, 60, (OSError,))
    assert next(errors, None) is None


def test_without_time_it_is_asked_once() -> None:
    errors = iter([OSError("first"), OSError("second")])

    def ask() -> None:
        raise next(errors)

    with pytest.raises(OSError, match="first"):
        retry(ask, 0, (OSError,))
