"""The training job's parts that need no MLflow server."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy
import pandas
import pytest
from mlflow.exceptions import MlflowException
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_absolute_error
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from services.contract.errors import Refused
from services.contract.estimator import names_in
from services.contract.model_config import ModelConfig
from services.contract.prediction import Labelled
from tests.support.paths import MODELS
from training.curves import curve_metrics
from training.flavors import Flavor, find_flavor
from training.job import TrainRequest, shuffled, train
from training.model_code import find_function
from training.settings import Settings
from training.signature import signature

INPUTS = pandas.DataFrame({"a": [float(n % 50) for n in range(300)], "b": [float(n % 7) for n in range(300)]})
YAML = """
name: gems
description: made up
library: sklearn
task: {task}
data:
  source: made up
  target: label
  columns: {{a: double, b: string, c: long}}
  optional: [a]
  holdout_sha256: null
variants: {{only: {{alpha: 1}}}}
gates:
  thresholds: {{}}
  latency_p99_ms: 1
  compare: {{metric: {metric}}}
"""


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, rows: Any, target: Any = None) -> "Doubled":  # noqa: ARG002
        return self

    def transform(self, rows: Any) -> Any:
        return rows * 2


def config(task: str, metric: str) -> ModelConfig:
    import yaml

    text = YAML.format(task=task, metric=metric).replace("thresholds: {}", f"thresholds: {{{metric}: {{min: 0}}}}")
    return ModelConfig.model_validate(yaml.safe_load(text))


def pipeline(estimator: Any) -> Pipeline:
    return make_pipeline(FunctionTransformer(numpy.asarray), estimator)


def sklearn() -> Flavor:
    return find_flavor("sklearn")


def fitted(estimator: Any, target: list[Any]) -> Any:
    return sklearn().fit(pipeline(estimator), INPUTS, pandas.Series(target), None)


def model_folder(tmp_path: Path, train_py: str) -> Path:
    (tmp_path / "gems").mkdir()
    text = YAML.format(task="regression", metric="mean_absolute_error")
    (tmp_path / "gems" / "model.yaml").write_text(text.replace("{}", "{r2_score: {min: 0}}"))
    (tmp_path / "gems" / "train.py").write_text(train_py)
    return tmp_path


def quiet(_: str) -> None:
    """Nobody listens."""


def test_an_unknown_variant_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Refused, match=r"expected a variant of diamond-price \(linear, boosted.*\), found 'deep'"):
        train(TrainRequest(MODELS, "diamond-price", "deep"), quiet)


def test_a_cluster_is_refused_for_a_library_that_runs_on_one_machine() -> None:
    with pytest.raises(Refused, match="expected no master, found spark://a:7077: sklearn trains on this machine only"):
        train(TrainRequest(MODELS, "diamond-price", master="spark://a:7077"), quiet)


def test_a_variant_that_the_build_function_does_not_take_is_refused_by_its_name(tmp_path: Path) -> None:
    models = model_folder(tmp_path, "def build(beta): ...\n")
    with pytest.raises(Refused, match="train.py: expected `build` to take the variant 'only' .*argument 'alpha'"):
        train(TrainRequest(models, "gems"), quiet)


def test_a_file_without_its_function_is_refused(tmp_path: Path) -> None:
    models = model_folder(tmp_path, "def make(): ...\n")
    with pytest.raises(Refused, match="train.py: expected a function 'build', found none"):
        train(TrainRequest(models, "gems"), quiet)
    with pytest.raises(Refused, match="expected .*data.py, found none: docs/bring-your-own-model.md"):
        find_function(models / "gems", "data.py", "load")


@pytest.mark.parametrize(
    ("train_py", "said"),
    [
        ("\ndef build(alpha)\n", "2: expected Python that can be run, found SyntaxError: expected ':'"),
        (
            "def build(alpha):\n    return 1 / 0\n",
            "2: expected `build` to take the variant 'only' of model.yaml, found ZeroDivisionError: division by zero",
        ),
        (
            "def build(alpha):\n    import json\n    return json.loads('{')\n",
            "3: expected `build` to take the variant 'only' of model.yaml, found JSONDecodeError: Expecting ",
        ),
    ],
)
def test_what_the_code_of_a_model_raises_is_told_with_its_file_and_line(
    tmp_path: Path, train_py: str, said: str
) -> None:
    with pytest.raises(Refused) as refused:
        train(TrainRequest(model_folder(tmp_path, train_py), "gems"), quiet)
    assert str(refused.value).startswith(f"{tmp_path}/gems/train.py:{said}")


@pytest.mark.parametrize(
    ("data_py", "said"),
    [
        ("def load(files):\n    raise OSError('it is gone')\n", ":2: expected `load` to return the rows, found O"),
        ("def load(files): return [1]\n", ": expected `load` to return a DataFrame, found list"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_loaded_are_told_with_the_file(tmp_path: Path, data_py: str, said: str) -> None:
    models = model_folder(tmp_path, "from sklearn.linear_model import Ridge\ndef build(alpha): return Ridge()\n")
    (models / "gems" / "data.py").write_text(data_py)
    with pytest.raises(Refused) as refused:
        train(TrainRequest(models, "gems"), quiet)
    assert str(refused.value).startswith(f"{tmp_path}/gems/data.py{said}")


@pytest.mark.parametrize("file", ["train.py", "data.py"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_missing_package_is_named_with_the_environment_that_lacks_it(tmp_path: Path, file: str, deep: bool) -> None:
    code = {"train.py": "from sklearn.linear_model import Ridge\ndef build(alpha): {}return Ridge()\n"}
    code["data.py"] = "def load(files): {}return None\n"
    models = model_folder(tmp_path, "")
    for name, text in code.items():
        lacking = "import nowhere_to_be_found; "
        inside, outside = (lacking, "") if deep else ("", lacking + "\n")
        here = name == file
        (models / "gems" / name).write_text((outside if here else "") + text.format(inside if here else ""))
    with pytest.raises(Refused) as refused:
        train(TrainRequest(models, "gems"), quiet)
    environment = Path(sys.prefix).name
    line = 2 if deep and file == "train.py" else 1
    assert str(refused.value) == (
        f"{models / 'gems' / file}:{line}: expected the environment '{environment}' to have what it imports, found no "
        f"'nowhere_to_be_found': add the package to requirements/{environment}.in, then scripts/lock and scripts/setup "
        f"{environment}"
    )


@pytest.mark.parametrize("plan", ["None", "Ridge", "7", "{'lr': 1}"])
def test_a_plan_that_the_library_cannot_fit_is_refused_before_the_rows_are_read(tmp_path: Path, plan: str) -> None:
    train_py = f"from sklearn.linear_model import Ridge\ndef build(alpha): return {plan}\n"
    with pytest.raises(Refused, match=r"gems/train\.py: expected `build` to return an unfitted estimator or pipeline"):
        train(TrainRequest(model_folder(tmp_path, train_py), "gems"), quiet)


@pytest.mark.parametrize("labels", [["x", "y", "z"] * 100, [0, 1, 1] * 100, [0.5, 1.5, 2.5] * 100])
def test_shuffled_labels_are_the_same_labels_on_other_rows(labels: list[Any]) -> None:
    target = pandas.Series(labels, index=range(7, 307), name="label")
    found = shuffled(target)
    assert sorted(found) == sorted(target)
    assert (found.dtype, found.name, list(found.index)) == (target.dtype, "label", list(target.index))
    assert 80 < (found == target).sum() < 200
    assert found.equals(shuffled(target))


def test_a_regressor_answers_numbers() -> None:
    model = fitted(HistGradientBoostingRegressor(max_iter=5), list(INPUTS["a"]))
    answers = sklearn().predict(model, INPUTS)
    assert {type(answer) for answer in answers} == {float}
    assert list(answers) == list(model.predict(INPUTS))


def test_a_classifier_of_names_answers_the_most_probable_with_its_probability() -> None:
    model = fitted(LogisticRegression(), [["lo", "mid", "hi"][int(a // 17)] for a in INPUTS["a"]])
    answers = sklearn().predict(model, INPUTS)
    assert [answer.label for answer in answers if isinstance(answer, Labelled)] == list(model.predict(INPUTS))
    assert [answer.probability for answer in answers if isinstance(answer, Labelled)] == list(
        model.predict_proba(INPUTS).max(axis=1)
    )


def test_a_binary_classifier_answers_the_probability_of_one_whichever_label_it_gives() -> None:
    model = fitted(LogisticRegression(), [int(a > 25) for a in INPUTS["a"]])
    answers = [answer for answer in sklearn().predict(model, INPUTS) if isinstance(answer, Labelled)]
    assert {type(answer.label) for answer in answers} == {int}
    assert [answer.label for answer in answers] == [int(answer.probability > 0.5) for answer in answers]
    assert [answer.probability for answer in answers] == list(model.predict_proba(INPUTS)[:, 1])
    assert {answer.label for answer in answers} == {0, 1}


def test_the_learning_curve_of_boosted_trees_ends_at_the_metric_of_the_whole_model() -> None:
    regressor = fitted(HistGradientBoostingRegressor(max_iter=12), list(INPUTS["a"]))
    curve = sklearn().learning_curves(regressor, INPUTS, INPUTS["a"])["mean_absolute_error"]
    assert len(curve) == 12
    assert curve[-1] == mean_absolute_error(INPUTS["a"], regressor.predict(INPUTS))
    assert curve == sorted(curve, reverse=True)
    late = pandas.Series([int(a > 25) for a in INPUTS["a"]])
    classifier = fitted(HistGradientBoostingClassifier(max_iter=7), list(late))
    losses = sklearn().learning_curves(classifier, INPUTS, late)["log_loss"]
    assert (len(losses), losses[-1]) == (7, log_loss(late, classifier.predict_proba(INPUTS)))


def test_a_model_that_keeps_no_steps_has_no_learning_curve() -> None:
    model = fitted(LogisticRegression(), [int(a > 25) for a in INPUTS["a"]])
    assert sklearn().learning_curves(model, INPUTS, INPUTS["a"]) == {}


def test_parameters_are_those_of_every_step_with_defaults() -> None:
    found = sklearn().parameters(fitted(LogisticRegression(C=0.5), [int(a > 25) for a in INPUTS["a"]]))
    assert (found["estimator.C"], found["estimator.tol"], found["estimator.random_state"]) == (0.5, 1e-4, None)
    assert found["functiontransformer.validate"] is False
    assert not [name for name, value in found.items() if callable(value)]


def test_a_bare_estimator_tells_its_parameters_and_its_learning_curve() -> None:
    model = sklearn().fit(HistGradientBoostingRegressor(max_iter=3), INPUTS, INPUTS["a"], None)
    assert sklearn().parameters(model)["estimator.max_iter"] == 3
    assert len(sklearn().learning_curves(model, INPUTS, INPUTS["a"])["mean_absolute_error"]) == 3


def test_a_curve_is_drawn_through_steps_that_keep_nothing_of_the_fit() -> None:
    model = make_pipeline(Doubled(), "passthrough", HistGradientBoostingRegressor(max_iter=3))
    fitted_model = sklearn().fit(model, INPUTS, INPUTS["a"], None)
    assert len(sklearn().learning_curves(fitted_model, INPUTS, INPUTS["a"])["mean_absolute_error"]) == 3


def test_a_model_that_fails_on_the_hold_out_says_the_librarys_own_reason() -> None:
    model = sklearn().fit(LogisticRegression(), INPUTS, pandas.Series([0, 1] * 150), None)
    with pytest.raises(Refused, match="every row of the hold-out, found ValueError: .*Feature names seen at fit time"):
        sklearn().predict(model, INPUTS.rename(columns={"a": "z"}))


def test_a_tree_model_needs_the_types_that_we_trust_because_the_default_refuses_it(tmp_path: Path) -> None:
    model = fitted(HistGradientBoostingRegressor(max_iter=2), list(INPUTS["a"]))
    options = {"pip_requirements": ["scikit-learn"], "serialization_format": "skops"}
    with pytest.raises(MlflowException, match="untrusted types"):
        mlflow.sklearn.save_model(model, str(tmp_path / "default"), **options)
    trusted = names_in(model)
    assert trusted == ["numpy.asarray", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
    mlflow.sklearn.save_model(model, str(tmp_path / "ours"), skops_trusted_types=trusted, **options)
    assert (tmp_path / "ours" / "model.skops").is_file()


def test_a_long_curve_is_thinned_to_a_thousand_points_that_keep_their_steps() -> None:
    points = curve_metrics({"loss": [float(n) for n in range(5000)], "error": [float(n) for n in range(3)]})
    loss = [point for point in points if point.key == "learning_curve.loss"]
    assert len(loss) == 500
    assert (loss[0].step, loss[-1].step) == (1, 5000)
    assert all(point.value == point.step - 1 for point in points)
    assert [point.step for point in points if point.key == "learning_curve.error"] == [1, 2, 3]
    assert curve_metrics({}) == []
    assert curve_metrics({"empty": []}) == []


def test_a_value_that_is_no_number_is_left_out_of_a_curve() -> None:
    assert [point.step for point in curve_metrics({"loss": [float("nan"), 2.0, float("inf")]})] == [2]


def test_the_signature_is_what_is_declared() -> None:
    inputs = [
        {"type": "double", "name": "a", "required": False},
        {"type": "string", "name": "b", "required": True},
        {"type": "long", "name": "c", "required": True},
    ]
    number = signature(config("regression", "mean_absolute_error"))
    assert number.inputs.to_dict() == inputs
    assert number.outputs.to_dict() == [{"type": "double", "required": True}]
    late = signature(config("binary-classification", "log_loss"))
    assert [(column["name"], column["type"]) for column in late.outputs.to_dict()] == [
        ("label", "long"), ("probability", "double")
    ]  # fmt: skip
    language = signature(config("classification", "accuracy_score"))
    assert language.outputs.to_dict()[0]["type"] == "string"
    assert number.params is None
    assert [one["name"] for one in late.params.to_dict()] == ["predict_method"]
    assert [(one["name"], one["default"]) for one in language.params.to_dict()] == [
        ("k", 1), ("threshold", 0.0), ("predict_method", "predict")
    ]  # fmt: skip


@pytest.mark.process
def test_threads_that_wait_leave_the_cores_to_others() -> None:
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(MODELS.parents[1]), "OMP_DISPLAY_ENV": "verbose"}
    done = subprocess.run(
        [sys.executable, "-m", "training", "train", "diamond-price", "--variant", "no-such-one"],
        env={**variables, "MLFLOW_TRACKING_URI": "sqlite://"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "GOMP_SPINCOUNT = '1000'" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("expected a variant of ")


def test_what_the_user_sets_for_a_library_wins_over_a_default_but_not_over_what_training_needs() -> None:
    settings = Settings(mlflow_tracking_uri="http://mlflow:5000")
    given = {"GOMP_SPINCOUNT": "7", "MLFLOW_DISABLE_TELEMETRY": "false", "MLFLOW_TRACKING_URI": "http://other:5000"}
    found = {**given, **settings.library_environment(given)}
    assert (found["GOMP_SPINCOUNT"], found["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) == ("7", "5")
    assert (found["MLFLOW_DISABLE_TELEMETRY"], found["MLFLOW_TRACKING_URI"]) == ("true", "http://mlflow:5000")
