"""A model answers one number, or one label with its probability: what does not is refused before the fit."""

from collections.abc import Callable
from typing import Any

import numpy
import pandas
import pytest
from pydantic import ValidationError
from sklearn.base import is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from services.contract.errors import Refused
from services.contract.model_config import Data, load_model_config
from services.contract.task import Task
from tests.support.paths import MODELS
from training.dataset import split
from training.estimator_plan import refuse_unfit

DECLARED: dict[str, Any] = {"source": "made up", "columns": {"x": "double"}, "holdout_sha256": None}


def refuse(plan: Any) -> None:
    task = "regression" if is_regressor(plan) else "classification"
    refuse_unfit(plan, load_model_config(MODELS, "diamond-price").model_copy(update={"task": task}))


@pytest.mark.parametrize(
    "plan",
    [
        MultiOutputRegressor(Ridge()),
        RegressorChain(Ridge()),
        make_pipeline(StandardScaler(), MultiOutputClassifier(LogisticRegression())),
        GridSearchCV(make_pipeline(ClassifierChain(LogisticRegression())), {}),
    ],
    ids=lambda plan: type(plan).__name__,
)
def test_an_estimator_of_several_answers_a_row_is_refused(plan: Any) -> None:
    with pytest.raises(
        Refused, match="^expected an estimator of one answer a row, found \\w+(Output|Chain)\\w*: train"
    ):
        refuse(plan)


@pytest.mark.parametrize(
    "plan",
    [
        LinearSVC(),
        RidgeClassifier(),
        Perceptron(),
        SGDClassifier(loss="hinge"),
        make_pipeline(StandardScaler(), SVC()),
        GridSearchCV(LinearSVC(), {}),
        OneVsRestClassifier(LinearSVC()),
    ],
    ids=lambda plan: type(plan).__name__,
)
def test_a_classifier_without_probabilities_is_refused_with_what_to_do(plan: Any) -> None:
    with pytest.raises(
        Refused, match=r"^expected a classifier with predict_proba, .* CalibratedClassifierCV\(\w+\(…\)\)"
    ):
        refuse(plan)


@pytest.mark.parametrize(
    "plan",
    [
        Ridge(),
        CalibratedClassifierCV(LinearSVC()),
        SGDClassifier(loss="log_loss"),
        OneVsRestClassifier(LogisticRegression()),
        StackingClassifier([("one", LinearSVC())]),
        make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), {})),
    ],
    ids=lambda plan: type(plan).__name__,
)
def test_a_plan_of_one_answer_is_taken(plan: Any) -> None:
    refuse(plan)


@pytest.mark.parametrize("target", [["price", "weight"], {"price": "double", "weight": "double"}])
def test_several_targets_are_refused_where_they_are_declared(target: Any) -> None:
    with pytest.raises(ValidationError, match="expected one column, found 2: train a model for each of them"):
        Data(**DECLARED, target=target)


@pytest.mark.parametrize("several", [list, tuple, set, numpy.array], ids=["list", "tuple", "set", "array"])
@pytest.mark.parametrize("task", ["regression", "classification", "binary-classification"])
def test_several_labels_in_a_row_are_refused_with_the_row(several: Callable[[list[int]], Any], task: Task) -> None:
    frame = pandas.DataFrame({"x": [0.0, 1.0, 2.0], "y": pandas.Series([0, several([0, 1]), 1], dtype=object)})
    with pytest.raises(
        Refused, match=r"^rows: column 'y': expected one value a row, found 2 in row 1 \(from 0\): give"
    ):
        split(frame, Data(**DECLARED, target="y"), task, "rows")


def test_two_columns_of_the_targets_name_are_refused() -> None:
    frame = pandas.DataFrame([[0.0, 1, 0]], columns=["x", "y", "y"])
    with pytest.raises(Refused, match="^rows: expected one column 'y', found 2: train a model for each target$"):
        split(frame, Data(**DECLARED, target="y"), "regression", "rows")
