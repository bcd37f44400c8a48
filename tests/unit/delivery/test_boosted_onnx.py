"""XGBoost and LightGBM, on their own and at the end of a pipeline: a graph answers as the library, or says why not."""

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy
import pandas
import pytest
import skops.io
import xgboost
import yaml
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction, difference, number_of
from services.contract.release import Column
from services.delivery.flavors import lightgbm as delivery_lightgbm
from services.delivery.flavors import sklearn as delivery_sklearn
from services.delivery.flavors import xgboost as delivery_xgboost
from services.prediction.runtimes import onnx as runtime
from training.flavors import lightgbm as training_lightgbm
from training.flavors import xgboost as training_xgboost

NAMES = "abc"
INPUTS = tuple(Column(name=name, type="double", required=False) for name in NAMES)
RANDOM = numpy.random.default_rng(3)
ROWS = RANDOM.normal(size=(400, 3))
ROWS[::9, 1] = math.nan
AMOUNT = 40 + 2 * ROWS[:, 0] + 5 * ROWS[:, 2]
TARGETS = {
    "number": pandas.Series(AMOUNT),
    "0 or 1": pandas.Series((AMOUNT > 41).astype(int)),
    "names": pandas.Series(numpy.array(["few", "many", "some"], dtype=object)[numpy.digitize(AMOUNT, [38, 43])]),
}
EDGES = [[value, 0.5, value] for value in (0.0, -0.0, 1e9, -1e9, math.nan, 1e-40, 1e-20)]
TABLE = pandas.DataFrame(ROWS, columns=list(NAMES))
LIBRARIES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "lightgbm": (training_lightgbm, delivery_lightgbm, {"num_iterations": 8, "verbosity": -1, "num_threads": 1}),
    "xgboost": (training_xgboost, delivery_xgboost, {"num_boost_round": 8, "nthread": 1}),
}
SAVED = {"lightgbm": "model.lgb", "xgboost": "model.ubj"}


def fitted(library: str, target: str, **parameters: Any) -> Any:
    training, _, plan = LIBRARIES[library]
    return training.fit({**plan, **parameters}, TABLE, TARGETS[target], None)


def saved(library: str, model: Any, folder: Path) -> Path:
    """As MLflow's folder has it."""
    model.booster.save_model(folder / SAVED[library])
    (folder / "MLmodel").write_text(yaml.safe_dump({"metadata": {"classes": list(model.classes)}}))
    return folder


def agree(delivery: Any, model: Any, folder: Path, rows: Sequence[Sequence[float]]) -> list[Prediction]:
    """The answers of the library, which those of the graph are within the tolerance."""
    file = folder / "model.onnx"
    file.write_bytes(delivery.to_onnx(model, folder, INPUTS))
    expected = delivery.predict(model, rows, INPUTS)
    found = runtime.load(file, INPUTS).predict(rows)
    assert max(difference(*pair) for pair in zip(expected, found, strict=True)) <= delivery.tolerance(model)
    return list(expected)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_graph_answers_what_the_library_answers_after_it_was_loaded(
    library: str, target: str, tmp_path: Path
) -> None:
    training, delivery, _ = LIBRARIES[library]
    model = fitted(library, target)
    loaded = delivery.load(saved(library, model, tmp_path))
    expected = agree(delivery, loaded, tmp_path, [*ROWS.tolist(), *EDGES])
    assert expected[: len(ROWS)] == list(training.predict(model, TABLE))
    assert len({number_of(answer) for answer in expected}) > 5


OBJECTIVES = [
    ("lightgbm", {"objective": objective})
    for objective in ("regression_l1", "huber", "poisson", "gamma", "tweedie", "quantile")
] + [
    ("lightgbm", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
    ("lightgbm", {"boosting": "dart"}),
    *(
        ("xgboost", {"objective": objective})
        for objective in ("reg:absoluteerror", "reg:pseudohubererror", "count:poisson", "reg:gamma", "reg:tweedie")
    ),
    ("xgboost", {"num_parallel_tree": 3, "subsample": 0.5}),
    ("xgboost", {"base_score": 20.0}),
]


@pytest.mark.parametrize(("library", "parameters"), OBJECTIVES, ids=str)
def test_each_objective_that_is_written_is_written_right(
    library: str, parameters: dict[str, Any], tmp_path: Path
) -> None:
    agree(LIBRARIES[library][1], fitted(library, "number", **parameters), tmp_path, [*ROWS.tolist(), *EDGES])


def test_numbers_without_a_missing_one_in_the_training_take_it_for_zero(tmp_path: Path) -> None:
    whole = pandas.DataFrame(numpy.nan_to_num(ROWS), columns=list(NAMES))
    model = training_lightgbm.fit(LIBRARIES["lightgbm"][2], whole, TARGETS["number"], None)
    assert {each["missing_type"] for each in branches(model.booster)} == {"None"}
    agree(delivery_lightgbm, model, tmp_path, EDGES)


def branches(booster: Any) -> list[dict[str, Any]]:
    waiting = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    for node in waiting:
        waiting += [node[side] for side in ("left_child", "right_child") if side in node]
    return [node for node in waiting if "split_index" in node]


def test_values_beside_a_threshold_fall_on_the_side_that_xgboost_takes(tmp_path: Path) -> None:
    model = fitted("xgboost", "number")
    cuts = [float(cut) for cut in model.booster.trees_to_dataframe()["Split"].dropna()]
    beside = [numpy.nextafter(kind(cut), side) for cut in cuts for kind in (float, numpy.float32) for side in (-9, 9)]
    agree(delivery_xgboost, model, tmp_path, [[float(x), 0.1, float(x)] for x in (*cuts, *beside)])


WITHOUT_A_GRAPH: dict[str, tuple[str, dict[str, Any], str]] = {
    "zeros that are missing": ("lightgbm", {"zero_as_missing": True}, "it takes 0 for a missing value"),
    "linear leaves": ("lightgbm", {"linear_tree": True}, "its leaves are linear"),
    "categories": ("lightgbm", {"categorical_feature": [0], "min_data_per_group": 1}, "it splits by category"),
    "another objective": ("lightgbm", {"objective": "cross_entropy"}, "its objective is 'cross_entropy'"),
    "lines": ("xgboost", {"booster": "gblinear"}, "its booster is 'gblinear'"),
    "a root of the target": ("lightgbm", {"reg_sqrt": True}, "its objective is 'regression sqrt'"),
}


@pytest.mark.parametrize("case", WITHOUT_A_GRAPH)
def test_what_is_not_written_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    library, parameters, reason = WITHOUT_A_GRAPH[case]
    training, delivery, plan = LIBRARIES[library]
    rows = pandas.DataFrame(numpy.abs(ROWS).round(), columns=list(NAMES)).fillna(0.0)
    share = pandas.Series(AMOUNT / 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = training.fit({**plan, **parameters}, rows, share, None)
    with pytest.raises(Refused, match=f"^the model has no ONNX form here: {reason}"):
        delivery.to_onnx(model, tmp_path, INPUTS)


def declared(task: str, **columns: str) -> ModelConfig:
    metric = {"regression": "mean_absolute_error", "classification": "accuracy_score"}.get(task, "log_loss")
    gates = {
        "thresholds": {metric: {"max": 1}},
        "latency_p99_ms": 9,
        "compare": {"metric": metric},
    }
    data = {"source": "here", "target": "target", "columns": {"a": "double", **columns}, "holdout_sha256": None}
    fields = {"name": "x", "description": "x", "library": "xgboost", "task": task, "data": data, "gates": gates}
    return ModelConfig.model_validate({**fields, "variants": {"one": {}}})


CHECKED: dict[str, tuple[Any, ModelConfig, str]] = {
    "no dict": (
        [],
        declared("regression"),
        r"expected `build` to return a dict of the library's parameters, found list",
    ),
    "words": ({}, declared("regression", b="string"), "expected columns of numbers, found b: encode them in a scikit"),
    "names": ({"objective": "poisson"}, declared("classification"), "expected the objective multi.*, found poisson"),
    "0 or 1": ({"objective": "l2"}, declared("binary-classification"), "expected the objective binary.*, found l2"),
}


@pytest.mark.parametrize("case", CHECKED)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_plan_or_columns_that_the_library_cannot_take_are_refused_before_the_fit(library: str, case: str) -> None:
    plan, config, reason = CHECKED[case]
    with pytest.raises(Refused, match=reason):
        LIBRARIES[library][0].check(plan, config)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_library_says_of_its_parameters_is_the_reason(library: str) -> None:
    with pytest.raises(Refused, match="expected parameters that .* can train with, it says: .*nonsense"):
        fitted(library, "number", objective="nonsense")


def test_parameters_have_the_name_of_the_booster_before_them() -> None:
    assert training_xgboost.parameters(fitted("xgboost", "0 or 1", max_depth=3))["booster.max_depth"] == "3"
    assert training_lightgbm.parameters(fitted("lightgbm", "names", num_leaves=5))["booster.num_leaves"] == 5


SPOILT: dict[str, tuple[Callable[[Path, str], object], str]] = {
    "no file": (lambda folder, name: (folder / name).unlink(), "expected model.*, found none: log the model with"),
    "another file": (lambda folder, name: (folder / name).write_bytes(b"no model"), "cannot load it"),
    "no classes": (
        lambda folder, _: (folder / "MLmodel").write_text("{}"),
        "MLmodel: expected metadata with 'classes'",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_folder_that_is_not_a_whole_model_is_refused(library: str, case: str, tmp_path: Path) -> None:
    spoil, reason = SPOILT[case]
    spoil(saved(library, fitted(library, "number"), tmp_path), SAVED[library])
    with pytest.raises(Refused, match=reason) as refusal:
        LIBRARIES[library][1].load(tmp_path)
    assert "\n" not in str(refusal.value)


ESTIMATORS: dict[str, tuple[Any, str]] = {
    "LGBMRegressor": (lightgbm.LGBMRegressor(n_estimators=5, verbosity=-1, n_jobs=1), "number"),
    "LGBMClassifier of 0 and 1": (lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1), "0 or 1"),
    "LGBMClassifier of names": (lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1), "names"),
    "XGBRegressor": (xgboost.XGBRegressor(n_estimators=5, n_jobs=1), "number"),
    "XGBClassifier": (xgboost.XGBClassifier(n_estimators=5, n_jobs=1), "0 or 1"),
    "XGBRegressor in another": (
        TransformedTargetRegressor(
            xgboost.XGBRegressor(n_estimators=5, n_jobs=1), func=numpy.log1p, inverse_func=numpy.expm1
        ),
        "number",
    ),
    "XGBRFRegressor": (xgboost.XGBRFRegressor(n_estimators=5, n_jobs=1), "number"),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("case", ESTIMATORS)
def test_a_pipeline_that_ends_with_one_of_them_is_loaded_from_skops_and_written(case: str, tmp_path: Path) -> None:
    estimator, target = ESTIMATORS[case]
    model = make_pipeline(StandardScaler(), estimator).fit(ROWS, TARGETS[target])
    skops.io.dump(model, tmp_path / delivery_sklearn.MODEL_FILE)
    loaded = delivery_sklearn.load(tmp_path)
    assert len(set(map(number_of, agree(delivery_sklearn, loaded, tmp_path, [*ROWS.tolist(), *EDGES])))) > 5
