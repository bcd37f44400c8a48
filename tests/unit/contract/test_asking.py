"""One row without an answer does not take those of the others with it."""

from collections.abc import Callable, Sequence

import pytest

from services.contract.asking import predict_classes, predict_each, step_of, time_each
from services.contract.prediction import Prediction


class Halves:
    """Answers half of a number, refuses what is negative, and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, rows: Sequence[float]) -> list[float]:
        self.calls += 1
        if min(rows) < 0:
            raise ValueError("negative")
        return [row / 2 for row in rows]


def test_a_row_without_an_answer_is_none_among_the_answers_of_the_others() -> None:
    assert predict_each(Halves(), [2.0, -1.0, 4.0, 6.0, -3.0], ValueError) == [1.0, None, 2.0, 3.0, None]


def test_rows_that_can_all_be_answered_are_asked_once_and_no_rows_never() -> None:
    halves = Halves()
    assert predict_each(halves, [2.0] * 1000, ValueError) == [1.0] * 1000
    assert predict_each(halves, [], ValueError) == []
    assert halves.calls == 1


def test_one_bad_row_of_many_costs_few_questions() -> None:
    halves = Halves()
    predict_each(halves, [2.0] * 1023 + [-1.0], ValueError)
    assert halves.calls == 21  # once together, and two halves at each of ten levels


def test_each_bad_row_is_told_by_its_number_and_error() -> None:
    told: list[tuple[int, str]] = []
    rows = [2.0, -1.0, 4.0, 6.0, -3.0]
    predict_each(Halves(), rows, ValueError, lambda row, error: told.append((row, str(error))))
    assert told == [(1, "negative"), (4, "negative")]


def test_an_error_of_another_kind_is_no_answer_to_a_row() -> None:
    with pytest.raises(ValueError, match="negative"):
        predict_each(Halves(), [-1.0], KeyError)


def test_each_row_is_timed_alone_with_or_without_an_answer() -> None:
    (one,) = time_each(Halves(), [2.0, -1.0, 4.0], ValueError, limit_ms=float("inf"))
    assert len(one.rows) == 3


def test_all_classes_are_asked_of_each_row_or_of_rows_spread_evenly() -> None:
    assert (step_of(8_000, 0), step_of(10_000, 10), step_of(10_001, 10), step_of(60_000, 67)) == (0, 1, 2, 41)


@pytest.mark.parametrize(
    ("step", "first", "expected"),
    [(0, 0, "aaaaa"), (1, 0, "AAAAA"), (2, 0, "AaAaA"), (2, 3, "aAaAa"), (3, 5, "aAaaA"), (9, 1, "aaaaa")],
)
def test_rows_of_all_classes_are_counted_over_everything_that_is_asked(step: int, first: int, expected: str) -> None:
    def answers(number: float) -> Callable[[Sequence[str]], list[Prediction | None]]:
        return lambda rows: [number for _ in rows]

    found = predict_classes(answers(0.0), answers(1.0), "aaaaa", step, first)
    assert "".join("A" if one else "a" for one in found) == expected
