"""Each metric as a function of weights, against scikit-learn's with `sample_weight` and on rows that are repeated."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import pytest
from sklearn import metrics as sklearn_metrics

from services.contract.metrics import measure
from services.contract.prediction import Labelled, Prediction
from services.contract.task import MEASURED, Task
from services.delivery.statistics.weighted_metrics import weighted_metrics

RANDOM = numpy.random.default_rng(5)
ROWS = 300
LABELS = ("de", "en", "fr", "nl", "rare")

Theirs = Callable[[Any, Any, Any], float]


def _numbers(predictions: Sequence[Any]) -> numpy.ndarray:
    return numpy.array([getattr(one, "probability", one) for one in predictions])


def _labels(predictions: Sequence[Any]) -> list[str]:
    return [one.label for one in predictions]


def _all(predictions: Sequence[Any]) -> numpy.ndarray:
    return numpy.array([[one.probabilities[label] for label in LABELS] for one in predictions])


def _calibration(came: numpy.ndarray, said: numpy.ndarray, weights: numpy.ndarray) -> float:
    """Bin by bin: scikit-learn has none."""
    edges = [(said >= low / 10) & ((said < (low + 1) / 10) | (low == 9)) for low in range(10)]
    return float(
        sum(
            abs(numpy.average(came[some], weights=weights[some]) - numpy.average(said[some], weights=weights[some]))
            * weights[some].sum()
            for some in edges
            if weights[some].sum()
        )
        / weights.sum()
    )


def _right(actual: Sequence[Any], given: Sequence[Any]) -> numpy.ndarray:
    return numpy.array([label == wanted for label, wanted in zip(_labels(given), actual, strict=True)], dtype=float)


THEIRS: dict[str, dict[str, Theirs]] = {
    "regression": {
        name: lambda actual, given, weights, name=name: getattr(sklearn_metrics, name)(  # type: ignore[misc]
            actual, _numbers(given), sample_weight=weights
        )
        for name in ("mean_absolute_error", "root_mean_squared_error", "r2_score")
    },
    "classification": {
        "accuracy_score": lambda a, g, w: sklearn_metrics.accuracy_score(a, _labels(g), sample_weight=w),
        "f1_score": lambda a, g, w: sklearn_metrics.f1_score(
            a, _labels(g), sample_weight=w, average="macro", zero_division=0
        ),
        "expected_calibration_error": lambda a, g, w: _calibration(_right(a, g), _numbers(g), w),
        "log_loss": lambda a, g, w: sklearn_metrics.log_loss(a, _all(g), sample_weight=w, labels=LABELS),
    },
    "binary-classification": {
        name: lambda actual, given, weights, name=name: getattr(sklearn_metrics, name)(
            actual, _numbers(given), sample_weight=weights
        )
        for name in ("average_precision_score", "roc_auc_score", "log_loss", "brier_score_loss")
    }
    | {"expected_calibration_error": lambda a, g, w: _calibration(numpy.asarray(a), _numbers(g), w)},
}
CASES = [(task, metric) for task, metrics in MEASURED.items() for metric in metrics]


def sample(task: str) -> tuple[list[Any], list[Prediction]]:
    """Targets and answers, with scores that are equal now and then, and a label that is seen in few rows."""
    if task == "regression":
        actual = RANDOM.normal(4000, 900, ROWS)
        return actual.tolist(), (actual + RANDOM.normal(0, 300, ROWS)).tolist()
    if task == "binary-classification":
        came = RANDOM.integers(0, 2, ROWS)
        scores = numpy.clip(0.3 * came + RANDOM.random(ROWS), 0.02, 1).round(2) - 0.01
        return came.tolist(), [Labelled(label=int(one > 0.5), probability=one) for one in scores.tolist()]
    shares = RANDOM.dirichlet(numpy.ones(len(LABELS)), ROWS)
    given: list[Prediction] = [
        Labelled(label=LABELS[row.argmax()], probability=row.max(), probabilities=dict(zip(LABELS, row, strict=True)))
        for row in shares
    ]
    return RANDOM.choice(LABELS, ROWS, p=(0.3, 0.3, 0.2, 0.19, 0.01)).tolist(), given


def ours(metric: str, task: Task, actual: Sequence[Any], given: Sequence[Prediction], weights: numpy.ndarray) -> float:
    return float(weighted_metrics([metric], task, actual, given)(weights[None, :])[0, 0])


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_a_weighted_metric_is_scikit_learns(task: Task, metric: str) -> None:
    actual, given = sample(task)
    weights = RANDOM.random(ROWS) + 0.1
    theirs = THEIRS[task][metric](actual, given, weights)
    assert ours(metric, task, actual, given, weights) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_a_metric_of_counts_is_scikit_learns_on_repeated_rows(task: Task, metric: str) -> None:
    actual, given = sample(task)
    counts = RANDOM.poisson(1, ROWS).astype(numpy.uint8)
    repeated = numpy.repeat(numpy.arange(ROWS), counts)
    rows, answers = [actual[n] for n in repeated], [given[n] for n in repeated]
    theirs = THEIRS[task][metric](rows, answers, numpy.ones(len(rows)))
    assert ours(metric, task, actual, given, counts) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("task", MEASURED)
def test_all_rows_once_give_what_is_measured(task: Task) -> None:
    actual, given = sample(task)
    found = weighted_metrics(MEASURED[task], task, actual, given)(numpy.ones((1, ROWS)))[0]
    assert dict(zip(MEASURED[task], found, strict=True)) == pytest.approx(measure(task, actual, given))


def test_a_label_that_no_drawn_row_has_does_not_count_in_the_mean_of_f1() -> None:
    given: list[Prediction] = [Labelled(label=label, probability=0.9) for label in ("a", "b")]
    drawn = numpy.array([2, 0], dtype=numpy.uint8)
    assert ours("f1_score", "classification", ["a", "b"], given, drawn) == 1


def test_log_loss_of_labels_is_that_of_the_rows_that_were_asked_for_all_probabilities() -> None:
    actual, given = sample("classification")
    half = [one.model_copy(update={"probabilities": None}) if n % 2 else one for n, one in enumerate(given)]  # type: ignore[union-attr]
    found = ours("log_loss", "classification", actual, half, numpy.ones(ROWS))
    assert found == pytest.approx(measure("classification", actual[::2], given[::2])["log_loss"])
    none = [one.model_copy(update={"probabilities": None}) for one in given]  # type: ignore[union-attr]
    assert numpy.isnan(ours("log_loss", "classification", actual, none, numpy.ones(ROWS)))
    assert "log_loss" not in measure("classification", actual, none)


@pytest.mark.parametrize(
    ("task", "metric", "actual", "given"),
    [
        ("regression", "r2_score", [2.0, 2.0], [1.0, 2.0]),
        ("binary-classification", "average_precision_score", [0, 0], [0.1, 0.9]),
        ("binary-classification", "roc_auc_score", [1, 1], [0.1, 0.9]),
        ("regression", "mean_absolute_error", [], []),
        ("classification", "f1_score", [], []),
    ],
)
def test_what_has_no_value_is_no_number(task: Task, metric: str, actual: list[Any], given: list[Prediction]) -> None:
    assert numpy.isnan(ours(metric, task, actual, given, numpy.ones(len(actual))))
