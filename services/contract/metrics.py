"""Hold-out metrics of each task, under the names that scikit-learn gives them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from sklearn import metrics

from services.contract.calibration import expected_calibration_error, surprises
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.task import Task


def measure(task: Task, actual: Sequence[Any], predictions: Sequence[Prediction]) -> dict[str, float]:
    """One value a metric; errors are in the target's unit. `actual` and `predictions` are in the same order of rows.

    Raises Refused for answers of another task: a label is no number, and its probability is none that was asked for.
    """
    expected = "a number" if task == "regression" else "a label with its probability"
    if others := [one for one in predictions if isinstance(one, Labelled) == (task == "regression")]:
        raise Refused(f"expected {expected} a row of the task {task}, found {others[0]}")
    return {name: float(value) for name, value in _MEASURES[task](actual, predictions).items()}


def _regression(actual: Sequence[Any], predictions: Sequence[Prediction]) -> dict[str, Any]:
    predicted = [number_of(prediction) for prediction in predictions]
    return {
        "mean_absolute_error": metrics.mean_absolute_error(actual, predicted),
        "root_mean_squared_error": metrics.root_mean_squared_error(actual, predicted),
        "r2_score": metrics.r2_score(actual, predicted),
    }


def _classification(actual: Sequence[Any], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Each row has one label, so accuracy is precision at 1; `f1_score` is the mean over labels, and `log_loss` that of
    the rows that were asked for the probabilities of all labels, if any."""
    predicted = [str(prediction.label) if isinstance(prediction, Labelled) else "" for prediction in predictions]
    right = numpy.array([label == str(wanted) for label, wanted in zip(predicted, actual, strict=True)], dtype=float)
    surprise = surprises(actual, predictions)
    told = surprise[numpy.isfinite(surprise)]
    return {
        "accuracy_score": metrics.accuracy_score(actual, predicted),
        "f1_score": metrics.f1_score(actual, predicted, average="macro", zero_division=0),
        "expected_calibration_error": expected_calibration_error(right, _numbers(predictions)),
        **({"log_loss": told.mean()} if len(told) else {}),
    }


def _binary(actual: Sequence[Any], predictions: Sequence[Prediction]) -> dict[str, Any]:
    probability = _numbers(predictions)
    truth = numpy.asarray(actual)
    return {
        "average_precision_score": metrics.average_precision_score(truth, probability),
        "roc_auc_score": metrics.roc_auc_score(truth, probability),
        "log_loss": metrics.log_loss(truth, probability, labels=[0, 1]),
        "brier_score_loss": metrics.brier_score_loss(truth, probability),
        "expected_calibration_error": expected_calibration_error(truth, probability),
    }


def _numbers(predictions: Sequence[Prediction]) -> numpy.ndarray:
    return numpy.array([number_of(prediction) for prediction in predictions], dtype=float)


_MEASURES: dict[Task, Callable[[Sequence[Any], Sequence[Prediction]], dict[str, Any]]] = {
    "regression": _regression,
    "classification": _classification,
    "binary-classification": _binary,
}
