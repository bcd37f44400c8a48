"""A plan that the library, the form of the model or the service would refuse later is refused before the fit."""

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import scipy.stats
import skops.io
import xgboost
from sklearn.cluster import Birch, KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    IsolationForest,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from services.contract.errors import Refused
from services.contract.estimator import names_in, untrusted
from services.contract.model_config import ModelConfig
from tests.support.paths import MODELS
from training.estimator_plan import refuse_unfit, stored
from training.flavors import sklearn
from training.model_code import find_function

OWN = """
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None): return self
    def transform(self, X): return X

class Bare:
    def fit(self, X, y): return self
    def predict(self, X): return X

def twice(X): return X * 2

def build(kind):
    class Hidden(Ratio): pass
    def inner(X): return X
    return {
        "class": lambda: make_pipeline(Ratio(), Ridge()),
        "function": lambda: make_pipeline(FunctionTransformer(twice), Ridge()),
        "both": lambda: make_pipeline(Ratio(), FunctionTransformer(twice), Ridge()),
        "lambda": lambda: make_pipeline(FunctionTransformer(lambda X: X), Ridge()),
        "inner": lambda: make_pipeline(FunctionTransformer(inner), Ridge()),
        "hidden": lambda: make_pipeline(Hidden(), Ridge()),
        "bare": Bare,
    }[kind]()
"""


def config(task: str = "regression", *trusted: str) -> ModelConfig:
    from services.contract.model_config import load_model_config

    found = load_model_config(MODELS, "diamond-price")
    return found.model_copy(update={"task": task, "trusted": trusted})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("own")
    (found / "train.py").write_text(OWN)
    return found


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (None, "found None: end `build` with `return`"),
        (Ridge, r"found the class Ridge: return Ridge\(\)"),
        (42, "found 42, which has not both fit and predict"),
        (StandardScaler(), r"found StandardScaler\(\), which has not both"),
        (make_pipeline(StandardScaler()), r"found Pipeline\(.*, which has not both"),
        (Ridge().fit([[1.0]], [1.0]), "found a fitted Ridge: leave the fit to the training job"),
        (make_pipeline(StandardScaler(), Ridge()).fit([[1.0]], [1.0]), "found a fitted Ridge"),
    ],
)
def test_a_plan_that_is_no_unfitted_estimator_is_refused_with_what_to_return(plan: Any, words: str) -> None:
    with pytest.raises(Refused, match=f"expected `build` to return an unfitted estimator or pipeline, {words}"):
        refuse_unfit(plan, config())


@pytest.mark.parametrize(
    "plan",
    [
        Ridge(),
        RandomForestRegressor(),
        make_pipeline(StandardScaler(), Ridge()),
        IsolationForest(),
        StackingRegressor([("one", Ridge())]),
    ],
)
def test_a_bare_estimator_is_as_good_as_a_pipeline(plan: Any) -> None:
    refuse_unfit(plan, config())


def test_an_estimator_of_another_task_is_refused() -> None:
    with pytest.raises(Refused, match=r"expected a classifier for the task classification .*, found Ridge"):
        refuse_unfit(make_pipeline(StandardScaler(), Ridge()), config("classification"))
    with pytest.raises(Refused, match=r"expected a regressor for the task regression .*, found LogisticRegression"):
        refuse_unfit(LogisticRegression(), config())


def test_a_classifier_without_probabilities_is_refused_and_one_that_gets_them_by_its_fit_is_not() -> None:
    with pytest.raises(Refused, match=r"with predict_proba, found LinearSVC: return CalibratedClassifierCV"):
        refuse_unfit(make_pipeline(StandardScaler(), LinearSVC()), config("classification"))
    refuse_unfit(StackingClassifier([("one", LogisticRegression())]), config("classification"))


def test_the_way_to_probabilities_is_one_that_works() -> None:
    with pytest.raises(Refused, match=r"with predict_proba, found VotingClassifier: choose .* such as voting='soft'"):
        refuse_unfit(VotingClassifier([("one", LogisticRegression())]), config("classification"))


@pytest.mark.parametrize("plan", [GaussianMixture(), KMeans(), IsolationForest()])
def test_what_is_no_classifier_names_no_labels(plan: Any) -> None:
    with pytest.raises(Refused, match=f"expected a classifier for the task .*, found {type(plan).__name__}"):
        refuse_unfit(plan, config("classification"))


def test_an_estimator_that_wants_labels_as_numbers_is_refused_for_names() -> None:
    plan = GridSearchCV(make_pipeline(StandardScaler(), xgboost.XGBClassifier()), {})
    with pytest.raises(Refused, match="labels that are texts, found XGBClassifier, which takes their numbers only: wr"):
        refuse_unfit(plan, config("classification"))
    refuse_unfit(plan, config("binary-classification"))


@pytest.mark.parametrize(
    ("kind", "declared", "words"),
    [
        ("class", (), r"found Ratio: write `trusted: \[train\.Ratio\]` into model.yaml and commit it"),
        ("function", (), r"found twice: write `trusted: \[train\.twice\]` into"),
        ("both", ("train.twice",), r"found Ratio: write `trusted: \[train\.twice, train\.Ratio\]` into"),
        ("lambda", (), "found a lambda: define it at the top of train.py and declare it"),
        ("inner", ("train.inner",), "found inner, which is defined inside of a function: define it at the top"),
        ("hidden", ("train.Hidden",), "found Hidden, which is defined inside of a function"),
        ("bare", ("train.Bare",), "expected Bare to inherit from BaseEstimator"),
    ],
)
def test_what_is_the_models_own_is_refused_with_how_to_declare_it(
    folder: Path, kind: str, declared: tuple[str, ...], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        refuse_unfit(find_function(folder, "train.py", "build")(kind), config("regression", *declared))


@pytest.mark.parametrize("kind", ["class", "function", "both"])
def test_what_is_the_models_own_and_declared_is_taken(folder: Path, kind: str) -> None:
    plan = find_function(folder, "train.py", "build")(kind)
    refuse_unfit(plan, config("regression", "train.Ratio", "train.twice"))


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (make_pipeline(FunctionTransformer(numpy.save), Ridge()), r"numpy\.save"),
        (GridSearchCV(Ridge(), {"estimator": [FunctionTransformer(numpy.save)]}), r"numpy\.save"),
    ],
)
def test_what_no_service_loads_is_named_before_the_fit(plan: Any, name: str) -> None:
    with pytest.raises(Refused, match=f"or of train.py, found .*{name}.*: a service loads no others"):
        refuse_unfit(plan, config())


@pytest.mark.parametrize(
    "search",
    [
        RandomizedSearchCV(Ridge(), {"alpha": scipy.stats.loguniform(0.1, 1)}, n_iter=2, cv=2, random_state=0),
        GridSearchCV(Ridge(), [{"alpha": numpy.array([0.1, 1])}], cv=2, refit=lambda _: 1),
    ],
)
def test_of_a_search_only_the_best_estimator_is_stored_and_its_parameters_are_told(search: Any) -> None:
    refuse_unfit(search, config())
    rows = pandas.DataFrame({"a": numpy.arange(20.0), "b": numpy.arange(20.0) % 3})
    fitted = sklearn.fit(search, rows, rows["a"] * 2, None)
    assert isinstance(stored(fitted), Ridge) and not untrusted(names_in(stored(fitted)))
    assert stored(fitted).predict(rows).tolist() == sklearn.predict(fitted, rows)
    assert sklearn.parameters(fitted)["best.alpha"] == stored(fitted).alpha


def test_columns_may_be_chosen_by_an_index_of_pandas() -> None:
    plan = make_pipeline(make_column_transformer((StandardScaler(), pandas.Index(["a", "b"]))), Ridge())
    refuse_unfit(plan, config())
    rows = pandas.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 0.0]})
    fitted = plan.fit(rows, [1.0, 2.0, 3.0])
    found = skops.io.loads(skops.io.dumps(fitted), trusted=names_in(fitted))
    assert found.predict(rows).tolist() == fitted.predict(rows).tolist()


def test_what_skops_cannot_write_is_named_before_the_fit() -> None:
    with pytest.raises(Refused, match="expected what skops can write, found another: .*Birch are not supported yet"):
        refuse_unfit(make_pipeline(Birch(), Ridge()), config())
