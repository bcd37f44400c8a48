"""Metrics and their bootstrap, against values that were worked out by hand or by scikit-learn."""

from typing import Any

import numpy
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import average_precision_score, log_loss

from services.contract.gates import CompareGate
from services.contract.metrics import measure
from services.contract.prediction import Labelled, Prediction
from services.contract.task import COMPARED, Task
from services.delivery.statistics.paired_bootstrap import paired_difference, value_of

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
        assert value_of(metric, actual, answers) == pytest.approx(measure(task, actual, answers)[metric])


def test_average_precision_with_ties_and_repeated_rows_is_scikit_learns() -> None:
    actual = GENERATOR.integers(0, 2, 500)
    scores = GENERATOR.random(500).round(1)
    drawn = GENERATOR.integers(0, 500, 500)
    repeated = value_of("average_precision_score", actual[drawn].tolist(), binary(scores[drawn].tolist()))
    assert repeated == pytest.approx(average_precision_score(actual[drawn], scores[drawn]))


def test_log_loss_is_scikit_learns() -> None:
    actual, scores = GENERATOR.integers(0, 2, 100), GENERATOR.random(100)
    assert value_of("log_loss", actual.tolist(), binary(scores.tolist())) == pytest.approx(log_loss(actual, scores))


@pytest.mark.parametrize("metric", ["average_precision_score", "log_loss", "brier_score_loss"])
def test_a_better_ranking_is_better_with_an_interval_above_zero_and_the_other_way_round(metric: str) -> None:
    actual = GENERATOR.integers(0, 2, 2000)
    good = numpy.clip(0.5 + 0.2 * (2 * actual - 1) + GENERATOR.normal(0, 0.1, 2000), 0, 1)
    bad = numpy.clip(good + GENERATOR.normal(0, 0.3, 2000), 0, 1)
    gate = CompareGate(metric=metric)
    better = paired_difference(gate, actual.tolist(), binary(good.tolist()), binary(bad.tolist()))
    worse = paired_difference(gate, actual.tolist(), binary(bad.tolist()), binary(good.tolist()))
    assert 0 < better.low < better.better_by < better.high
    assert worse.high < 0
    assert worse.better_by == pytest.approx(-better.better_by)


def test_the_interval_is_the_one_that_scipy_gives() -> None:
    actual, good, bad = GENERATOR.normal(0, 1, (3, 400))
    gate = CompareGate(metric="mean_absolute_error", confidence=0.9)
    ours = paired_difference(gate, actual.tolist(), good.tolist(), bad.tolist())
    gained = abs(actual - bad) - abs(actual - good)
    scipys = bootstrap(
        (gained,), numpy.mean, n_resamples=1000, batch=50, confidence_level=0.9, method="percentile", rng=0
    )
    assert (ours.low, ours.high) == pytest.approx(tuple(scipys.confidence_interval))


def test_the_allowed_loss_of_a_score_is_a_share_of_what_it_lacks_of_one() -> None:
    answers: list[Prediction] = [Labelled(label=label, probability=0.9) for label in ("a", "a", "a", "b")]
    found = paired_difference(CompareGate(metric="accuracy_score", margin=0.1), ["a"] * 4, answers, answers)
    assert (found.candidate, found.live, found.better_by) == (0.75, 0.75, 0)
    assert found.allowed == pytest.approx(0.025)
