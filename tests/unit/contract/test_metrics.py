"""Metrics and their bootstrap, against values that were worked out by hand or by scikit-learn."""

from typing import Any

import numpy
import pytest
from sklearn.metrics import average_precision_score, log_loss

from services.contract.errors import Refused
from services.contract.metrics import measure
from services.contract.prediction import Labelled, Prediction
from services.contract.task import COMPARED, Task
from services.delivery.gates.looks import value_of
from services.delivery.statistics.groups import everything
from services.delivery.statistics.intervals import Paired, paired

BINARY: Task = "binary-classification"
GENERATOR = numpy.random.default_rng(5)


def binary(probabilities: list[float]) -> list[Prediction]:
    return [Labelled(label=int(one >= 0.5), probability=one) for one in probabilities]


def test_calibration_is_the_mean_gap_between_what_was_said_and_what_came() -> None:
    # Ten rows at 0.25 of which five are 1 (a gap of 0.25), and thirty at 0.85 of which thirty are 1 (0.15).
    actual = [1] * 5 + [0] * 5 + [1] * 30
    found = measure("binary-classification", actual, binary([0.25] * 10 + [0.85] * 30))
    assert found["expected_calibration_error"] == pytest.approx((10 * 0.25 + 30 * 0.15) / 40)


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    found = measure("binary-classification", [1, 0], binary([1.0, 0.0]))
    assert found["expected_calibration_error"] == 0
    assert found["average_precision_score"] == 1


def test_accuracy_and_f1_of_labels() -> None:
    answers: list[Prediction] = [Labelled(label=label, probability=0.9) for label in ("de", "de", "fr", "fr")]
    found = measure("classification", ["de", "fr", "fr", "nl"], answers)
    # f1: de 2/3, fr 1/2, nl 0; all said that they are right in nine of ten.
    f1, gap = pytest.approx((2 / 3 + 1 / 2) / 3), pytest.approx(0.9 - 0.5)
    assert found == {"accuracy_score": 0.5, "f1_score": f1, "expected_calibration_error": gap}


@pytest.mark.parametrize("task", COMPARED)
def test_what_a_gate_may_compare_by_can_be_compared_and_is_measured(task: Task) -> None:
    truths: dict[Task, list[Any]] = {
        "regression": [1.0, 2.0],
        "classification": ["a", "b"],
        "binary-classification": [1, 0],
    }
    given: dict[Task, list[Prediction]] = {
        "regression": [1.5, 2.5],
        "classification": [Labelled(label="a", probability=0.9)] * 2,
        "binary-classification": binary([0.8, 0.3]),
    }
    actual, answers = truths[task], given[task]
    for metric in COMPARED[task]:
        assert value_of(metric, task, actual, answers) == pytest.approx(measure(task, actual, answers)[metric])


def test_average_precision_with_ties_and_repeated_rows_is_scikit_learns() -> None:
    actual = GENERATOR.integers(0, 2, 500)
    scores = GENERATOR.random(500).round(1)
    drawn = GENERATOR.integers(0, 500, 500)
    repeated = value_of("average_precision_score", BINARY, actual[drawn].tolist(), binary(scores[drawn].tolist()))
    assert repeated == pytest.approx(average_precision_score(actual[drawn], scores[drawn]))


def test_log_loss_is_scikit_learns() -> None:
    actual, scores = GENERATOR.integers(0, 2, 100), GENERATOR.random(100)
    assert value_of("log_loss", BINARY, actual.tolist(), binary(scores.tolist())) == pytest.approx(
        log_loss(actual, scores)
    )


@pytest.mark.thorough
@pytest.mark.parametrize("metric", ["average_precision_score", "log_loss", "brier_score_loss"])
def test_a_better_ranking_is_better_with_an_interval_above_zero_and_the_other_way_round(metric: str) -> None:
    actual = GENERATOR.integers(0, 2, 2000)
    good = numpy.clip(0.5 + 0.2 * (2 * actual - 1) + GENERATOR.normal(0, 0.1, 2000), 0, 1)
    bad = numpy.clip(good + GENERATOR.normal(0, 0.3, 2000), 0, 1)

    def by(candidate: numpy.ndarray, live: numpy.ndarray) -> Paired:
        truth, ours, theirs = actual.tolist(), binary(candidate.tolist()), binary(live.tolist())
        return paired([metric], BINARY, truth, ours, theirs, [everything(truth)], 0.95)[0]

    better, worse = by(good, bad), by(bad, good)
    assert 0 < better.low < better.better_by < better.high
    assert worse.high < 0
    assert worse.better_by == pytest.approx(-better.better_by)


@pytest.mark.parametrize(
    ("task", "actual", "answer", "expected"),
    [
        (
            "regression",
            1.0,
            Labelled(label="de", probability=0.9),
            "a number a row of the task regression, found",
        ),
        ("classification", "de", 0.9, "a label with its probability a row of the task classification, found 0.9"),
        ("binary-classification", 1, 0.9, "a label with its probability a row of the task binary-cl"),
    ],
)
def test_an_answer_of_another_task_is_measured_as_none(
    task: Task, actual: Any, answer: Prediction, expected: str
) -> None:
    with pytest.raises(Refused, match=f"^expected {expected}"):
        measure(task, [actual] * 2, [answer] * 2)
