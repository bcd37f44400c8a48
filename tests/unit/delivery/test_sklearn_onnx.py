"""A scikit-learn model as a graph answers like the library itself, or says why it cannot; a file is looked at first."""

import itertools
import math
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import skops.io
from lightgbm import LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction, difference, number_of
from services.contract.release import Column
from services.delivery.flavors import sklearn as flavor
from services.prediction.runtimes import onnx as runtime

TOLERANCE = 1e-12
# Names that are also those of our outputs, and of what skl2onnx writes between.
INPUTS = (
    Column(name="y", type="double"),
    Column(name="variable", type="string"),
    Column(name="label", type="long"),
    Column(name="probability", type="boolean"),
    Column(name="z", type="double"),
)
WORDS = ("ideal", "good", "größer", "")
EXTREMES = (0.0, -0.0, 1e9, -1e9, 1e300, -1e300, 5e-324)
called: list[str] = []


class Planted:
    """An estimator of a type that nobody trusts; building it would leave a mark."""

    def __setstate__(self, state: object) -> None:
        called.append("built")

    def __getstate__(self) -> dict[str, int]:
        return {"state": 1}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads that wait for one another are slow where other tests run beside."""
    with threadpool_limits(1):
        yield


def made_up(rows: int = 400) -> list[list[Any]]:
    random = numpy.random.default_rng(5)
    columns: tuple[list[Any], ...] = (
        random.normal(3, 2, rows).tolist(),
        random.choice(WORDS, rows).tolist(),
        random.integers(-2, 3, rows).tolist(),
        (random.random(rows) < 0.5).tolist(),
        random.uniform(0, 1, rows).tolist(),
    )
    return [list(row) for row in zip(*columns, strict=True)]


ROWS = made_up()
NUMBERS_ONLY = [row[4:] + row[:1] for row in ROWS]
WORDS_ONLY = [[row[1], str(row[2])] for row in ROWS]
DOUBLES = (Column(name="z", type="double"), Column(name="y", type="double"))
STRINGS = (Column(name="a", type="string"), Column(name="b", type="string"))
PRICE = numpy.array([100 + 10 * row[0] + 3 * len(row[1]) + row[2] ** 2 + 20 * row[3] * row[4] for row in ROWS])
IS_DEAR = (numpy.median(PRICE) < PRICE).astype(int)
CLASS = numpy.array(["cheap", "fair", "größer"])[numpy.digitize(PRICE, [120, 140])]


def encoded(numbers: Any = "passthrough") -> Any:
    words = OneHotEncoder(handle_unknown="ignore")
    whole = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=math.nan)
    return make_column_transformer((words, [1]), (whole, [2]), (numbers, [4, 0]), remainder="passthrough")


def boosted(loss: str, **parameters: Any) -> Any:
    regressor = HistGradientBoostingRegressor(loss=loss, max_iter=10, min_samples_leaf=5, **parameters)
    return make_pipeline(FunctionTransformer(numpy.asarray), encoded(), regressor)


def linear(estimator: Any) -> Any:
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [1, 2, 3]), (StandardScaler(), [4, 0]))
    return make_pipeline(FunctionTransformer(numpy.asarray), columns, estimator)


Case = tuple[Any, Sequence[list[Any]], Any, tuple[Column, ...]]


def numeric(*steps: Any, target: Any = PRICE) -> Case:
    return make_pipeline(*steps), NUMBERS_ONLY, target, DOUBLES


LEAVES = {"min_samples_leaf": 9}
TREES: dict[str, tuple[Any, Any]] = {
    "forest": (partial(RandomForestRegressor, **LEAVES), partial(RandomForestClassifier, **LEAVES)),
    "extra trees": (partial(ExtraTreesRegressor, **LEAVES), partial(ExtraTreesClassifier, **LEAVES)),
    "gradient boosting": (GradientBoostingRegressor, GradientBoostingClassifier),
    "bagging": (
        partial(BaggingRegressor, DecisionTreeRegressor(**LEAVES), max_features=1),
        partial(BaggingClassifier, DecisionTreeClassifier(**LEAVES), max_samples=0.5),
    ),
    "AdaBoost": (AdaBoostRegressor, partial(AdaBoostClassifier, DecisionTreeClassifier(max_depth=2))),
}
TRANSFORMERS: dict[str, Any] = {
    "bins": KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    "bins as numbers": KBinsDiscretizer(4, encode="ordinal", strategy="uniform"),
    "box-cox": make_pipeline(FunctionTransformer(numpy.exp, validate=True), PowerTransformer("box-cox")),
    "log1p": make_pipeline(FunctionTransformer(numpy.abs, validate=True), FunctionTransformer(numpy.log1p)),
    "polynomials": make_pipeline(StandardScaler(), PolynomialFeatures(3)),
    "products": PolynomialFeatures(2, interaction_only=True, include_bias=False),
    "powers": PowerTransformer(),
    "quantiles": QuantileTransformer(n_quantiles=50),
    "robust": RobustScaler(),
    "splines": SplineTransformer(n_knots=4, degree=3),
    "splines, continued": SplineTransformer(n_knots=3, degree=2, extrapolation="continue", include_bias=False),
    "selected": SelectKBest(f_regression, k=1),
    "imputed": SimpleImputer(strategy="median"),
    "imputed with indicators": SimpleImputer(add_indicator=True),
    "targets": make_pipeline(KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), TargetEncoder()),
    "side by side": FeatureUnion([("one", StandardScaler()), ("two", MinMaxScaler(clip=True))]),
}
CASES: dict[str, Callable[[], Case]] = {
    "ridge": lambda: (linear(Ridge()), ROWS, PRICE, INPUTS),
    "poisson regression": lambda: (linear(PoissonRegressor(alpha=0.1)), ROWS, PRICE, INPUTS),
    "boosted, squared error": lambda: (boosted("squared_error"), ROWS, PRICE, INPUTS),
    "boosted, absolute error": lambda: (boosted("absolute_error"), ROWS, PRICE, INPUTS),
    "boosted, quantile": lambda: (boosted("quantile", quantile=0.9), ROWS, PRICE, INPUTS),
    "boosted, poisson": lambda: (boosted("poisson"), ROWS, PRICE, INPUTS),
    "boosted, gamma": lambda: (boosted("gamma"), ROWS, PRICE, INPUTS),
    "boosted without a step before": lambda: (boosted("gamma")[-1], NUMBERS_ONLY, PRICE, DOUBLES),
    "numbers only": lambda: (make_pipeline(StandardScaler(), LinearRegression()), NUMBERS_ONLY, PRICE, DOUBLES),
    "one step only": lambda: (Ridge(), NUMBERS_ONLY, PRICE, DOUBLES),
    "words only": lambda: (
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
        WORDS_ONLY,
        IS_DEAR,
        STRINGS,
    ),
    "one of two": lambda: (linear(LogisticRegression()), ROWS, IS_DEAR, INPUTS),
    "one of three names": lambda: (linear(LogisticRegression()), ROWS, CLASS, INPUTS),
    "one of two names": lambda: (linear(LogisticRegression()), ROWS, CLASS == "cheap", INPUTS),
    "MLP": lambda: numeric(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=[5], max_iter=400, solver="lbfgs", random_state=0)
    ),
    "MLP of classes": lambda: numeric(
        StandardScaler(), MLPClassifier([5], max_iter=400, solver="lbfgs", random_state=0), target=CLASS
    ),
    "neighbours": lambda: numeric(KNeighborsRegressor(3, weights="distance")),
    "neighbours that vote": lambda: numeric(
        QuantileTransformer(n_quantiles=50), KNeighborsClassifier(15), target=CLASS
    ),
    "logarithm of the target": lambda: (
        TransformedTargetRegressor(Ridge(), func=numpy.log1p, inverse_func=numpy.expm1),
        NUMBERS_ONLY,
        PRICE / 100,
        DOUBLES,
    ),
    "scaled target": lambda: (
        TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
        NUMBERS_ONLY,
        PRICE,
        DOUBLES,
    ),
    "support vectors": lambda: numeric(StandardScaler(), SVR()),
    "vote": lambda: numeric(
        VotingClassifier(
            [("tree", DecisionTreeClassifier(max_depth=4)), ("line", LogisticRegression())], voting="soft"
        ),
        target=CLASS,
    ),
    "stack": lambda: numeric(
        StackingClassifier([("tree", DecisionTreeClassifier(max_depth=4)), ("line", LogisticRegression())], cv=3),
        target=CLASS,
    ),
    "calibrated support vectors": lambda: numeric(CalibratedClassifierCV(SVC(), cv=2, ensemble=False), target=IS_DEAR),
    "calibrated lines": lambda: numeric(CalibratedClassifierCV(LinearSVC(), cv=2), target=CLASS),
    "calibrated trees": lambda: numeric(
        CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), method="isotonic", cv=2), target=CLASS
    ),
    "histograms of two": lambda: numeric(HistGradientBoostingClassifier(max_iter=5), target=IS_DEAR),
    "histograms of three": lambda: numeric(HistGradientBoostingClassifier(max_iter=5), target=CLASS),
    "boosted by exponential loss": lambda: numeric(
        GradientBoostingClassifier(loss="exponential", n_estimators=5), target=IS_DEAR
    ),
    "a tree": lambda: numeric(DecisionTreeRegressor(max_depth=5)),
    "a tree with missing values": lambda: with_gaps(DecisionTreeRegressor(max_depth=5)),
    "a forest with missing values": lambda: with_gaps(RandomForestRegressor(5, random_state=0)),
    "imputed gaps": lambda: with_gaps(make_pipeline(SimpleImputer(add_indicator=True), Ridge())),
    **{
        f"{name} of {kind}": partial(numeric, estimator(n_estimators=5, random_state=0), target=target)
        for name, (numbers, classes) in TREES.items()
        for kind, estimator, target in (
            ("numbers", numbers, PRICE),
            ("two", classes, IS_DEAR),
            ("three", classes, CLASS),
        )
    },
    **{f"{name} before a line": partial(numeric, step, Ridge()) for name, step in TRANSFORMERS.items()},
}


def with_gaps(model: Any) -> Case:
    rows = [[math.nan if place % 7 == 0 else row[0], row[1]] for place, row in enumerate(NUMBERS_ONLY)]
    return model, rows, PRICE, DOUBLES


def fitted(case: str) -> Case:
    model, rows, target, inputs = CASES[case]()
    if target.dtype == bool:
        target = numpy.where(target, "yes", "no")
    kind = float if inputs is DOUBLES else object
    return model.fit(numpy.array(rows, dtype=kind), target), rows, target, inputs


def edges(row: Sequence[Any], inputs: Sequence[Column]) -> list[list[Any]]:
    """`row` with each value in turn as nobody has seen it: a word, a missing number, an extreme one."""
    odd: dict[str, tuple[Any, ...]] = {
        "string": ("never seen", "ideal\0", "Ideal", "☃"),
        "double": (math.nan, *EXTREMES),
        "long": (0, 10**9, -(10**9)),
        "boolean": (True, False),
    }
    return [
        [*row[:place], value, *row[place + 1 :]] for place, column in enumerate(inputs) for value in odd[column.type]
    ]


def graph_of(model: Any, folder: Path, inputs: Sequence[Column]) -> runtime.OnnxModel:
    file = folder / "model.onnx"
    file.write_bytes(flavor.to_onnx(model, folder, inputs))
    return runtime.load(file, inputs)


def finite(predict: Callable[[list[list[Any]]], list[Prediction]], row: list[Any]) -> Prediction | None:
    """The answer to one row, None where there is none: an error or no finite number."""
    try:
        (answer,) = predict([row])
    except ValueError:
        return None
    return answer if math.isfinite(number_of(answer)) else None


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
@pytest.mark.parametrize("case", CASES)
def test_a_graph_answers_what_the_library_answers(case: str, tmp_path: Path) -> None:
    model, rows, _, inputs = fitted(case)
    graph, library = graph_of(model, tmp_path, inputs), partial(flavor.predict, model, inputs=inputs)
    expected = library(rows)
    assert len({number_of(answer) for answer in expected}) > 5
    assert max(itertools.starmap(difference, zip(expected, graph.predict(rows), strict=True))) <= TOLERANCE
    asked = 0
    for row in itertools.chain.from_iterable(edges(row, inputs) for row in rows[:2]):
        answer, found = finite(library, row), finite(graph.predict, row)
        assert (answer is None) == (found is None), row
        if answer is not None and found is not None:
            asked += 1
            assert difference(answer, found) <= TOLERANCE, row
    assert asked > 9


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("one of")])
def test_a_graph_answers_the_probabilities_of_all_classes_as_the_library_does(case: str, tmp_path: Path) -> None:
    model, rows, _, inputs = fitted(case)
    graph, classes = graph_of(model, tmp_path, inputs), flavor.classes(model)
    expected, found = flavor.predict_proba(model, rows, inputs), graph.predict_proba(rows, classes)
    assert [list(one.probabilities or {}) for one in found if isinstance(one, Labelled)] == [classes] * len(rows)
    assert max(itertools.starmap(difference, zip(expected, found, strict=True))) <= TOLERANCE
    by_hand = model.predict_proba(numpy.array(rows, dtype=object)).tolist()
    assert [list((one.probabilities or {}).values()) for one in expected if isinstance(one, Labelled)] == by_hand
    plain = [one.model_copy(update={"probabilities": None}) for one in found if isinstance(one, Labelled)]
    assert graph.predict(rows) == plain


def test_values_at_a_threshold_and_beside_it_fall_on_the_same_side(tmp_path: Path) -> None:
    model = boosted("squared_error").fit(numpy.array(ROWS, dtype=object), PRICE)
    nodes = numpy.concatenate([predictor.nodes for (predictor,) in model[-1]._predictors])
    # After four columns for the words and one for the whole number.
    chosen = nodes[(nodes["is_leaf"] == 0) & numpy.isin(nodes["feature_idx"], (5, 6))]
    assert len(chosen) > 20
    rows = [
        [beside, "good", 1, True, beside]
        for threshold in chosen["num_threshold"].tolist()
        for beside in (numpy.nextafter(threshold, -math.inf), threshold, numpy.nextafter(threshold, math.inf))
    ]
    found = graph_of(model, tmp_path, INPUTS).predict(rows)
    assert len(set(found)) > 20
    assert found == pytest.approx(flavor.predict(model, rows, INPUTS), rel=TOLERANCE)


def test_a_graph_takes_no_row_that_the_library_does_not_take(tmp_path: Path) -> None:
    columns = make_column_transformer((OneHotEncoder(handle_unknown="error"), [0]), remainder="drop")
    rows = [[word, "unused"] for word in ("ideal", "good", "fair")]
    model = make_pipeline(columns, Ridge()).fit(numpy.array(rows, dtype=object), [1.0, 2.0, 3.0])
    graph = graph_of(model, tmp_path, STRINGS)
    assert graph.predict(rows) == pytest.approx(flavor.predict(model, rows, STRINGS), rel=TOLERANCE)
    for predict in (graph.predict, lambda row: flavor.predict(model, row, STRINGS)):
        assert finite(predict, ["never seen", "unused"]) is None


def by_category() -> Any:
    return make_pipeline(HistGradientBoostingRegressor(categorical_features=[0], max_iter=2))


WITHOUT_A_GRAPH: dict[str, tuple[Callable[[], Any], str]] = {
    "a step that skl2onnx does not know": (
        lambda: make_pipeline(KernelRidge()),
        "^KernelRidge has no ONNX form here: skl2onnx does not know it$",
    ),
    "a function of numpy's that is not written": (
        lambda: make_pipeline(FunctionTransformer(numpy.cbrt), Ridge()),
        "^FunctionTransformer has no ONNX form here: the function is cbrt and not one of numpy's abs, ",
    ),
    "a function of the user's own with the name of one of numpy's": (
        lambda: make_pipeline(FunctionTransformer(exp), Ridge()),
        "^FunctionTransformer has no ONNX form here: the function is exp and not one of numpy's ",
    ),
    "a step in single precision": (
        lambda: make_pipeline(StandardScaler(), KNNImputer(), Ridge()),
        "^KNNImputer has no ONNX form here: ",
    ),
    "a normal distribution": (
        lambda: make_pipeline(QuantileTransformer(n_quantiles=9, output_distribution="normal"), Ridge()),
        "^QuantileTransformer has no ONNX form here: ONNX has no inverse of the normal distribution",
    ),
    "a step within a step": (
        lambda: BaggingRegressor(make_pipeline(SplineTransformer(extrapolation="linear"), Ridge()), n_estimators=2),
        "^SplineTransformer has no ONNX form here: extrapolation is 'linear'",
    ),
    "an estimator that transforms": (
        lambda: make_pipeline(KMeans(2, n_init=1), Ridge()),
        "^KMeans has no ONNX form here: it predicts, and stands in a place where it transforms",
    ),
    "splits by category": (
        by_category,
        "^HistGradientBoostingRegressor has no ONNX form here: its trees split by category: encode the categories",
    ),
}


def exp(values: Any) -> Any:
    return values


@pytest.mark.parametrize("case", WITHOUT_A_GRAPH)
def test_a_model_without_a_graph_is_refused_with_the_reason_in_one_line(case: str, tmp_path: Path) -> None:
    build, reason = WITHOUT_A_GRAPH[case]
    rows = numpy.abs(numpy.array(NUMBERS_ONLY)).round()
    with pytest.raises(Refused, match=reason) as refusal:
        flavor.to_onnx(build().fit(rows, PRICE), tmp_path, DOUBLES)
    assert "\n" not in str(refusal.value)


def test_words_beside_numbers_need_a_step_that_tells_them_apart(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(), Ridge()).fit(NUMBERS_ONLY, PRICE)
    with pytest.raises(Refused, match="expected a ColumnTransformer first where strings stand beside numbers"):
        flavor.to_onnx(model, tmp_path, INPUTS[:2])


def test_an_encoder_takes_words_beside_numbers_column_by_column(tmp_path: Path) -> None:
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge())
    model.fit(numpy.array(ROWS, dtype=object)[:, 1:4], PRICE)
    rows = [row[1:4] for row in ROWS] + [["never seen", 9, True]]
    found = graph_of(model, tmp_path, INPUTS[1:4]).predict(rows)
    assert found == pytest.approx(flavor.predict(model, rows, INPUTS[1:4]), rel=TOLERANCE)


def test_a_forest_compares_in_single_precision_as_the_library_does(tmp_path: Path) -> None:
    model = DecisionTreeRegressor().fit(NUMBERS_ONLY, PRICE)
    thresholds = model.tree_.threshold[model.tree_.feature == 0]
    beside = [numpy.nextafter(t, side) for t in thresholds for side in (-numpy.inf, numpy.inf)]
    rounded = numpy.float32(thresholds).astype(float).tolist()
    rows = [[value, 3.0] for value in (*thresholds.tolist(), *map(float, beside), *rounded)]
    assert graph_of(model, tmp_path, DOUBLES).predict(rows) == flavor.predict(model, rows, DOUBLES)


def test_columns_that_were_chosen_by_name_are_those_of_the_graph(tmp_path: Path) -> None:
    columns = make_column_transformer((StandardScaler(), ["y"]), (OneHotEncoder(), ["variable"]), remainder="drop")
    table = pandas.DataFrame(ROWS, columns=[column.name for column in INPUTS])
    model = make_pipeline(columns, Ridge()).fit(table, PRICE)
    found = graph_of(model, tmp_path, INPUTS).predict(ROWS)
    assert found == pytest.approx(model.predict(table).tolist(), rel=TOLERANCE)


def test_words_are_counted_by_scikit_learn_alone(tmp_path: Path) -> None:
    columns = make_column_transformer((CountVectorizer(), 0), remainder="drop")
    model = make_pipeline(columns, Ridge()).fit(numpy.array(WORDS_ONLY, dtype=object), PRICE)
    with pytest.raises(Refused, match=r"^CountVectorizer has no ONNX form here: .* operators of com\.microsoft"):
        flavor.to_onnx(model, tmp_path, STRINGS)


def test_a_binary_answer_has_the_probability_of_1_whichever_label_it_is() -> None:
    model, rows, _, inputs = fitted("one of two")
    probabilities = model.predict_proba(numpy.array(rows, dtype=object))
    expected = [Labelled(label=int(one > 0.5), probability=one) for _, one in probabilities]
    assert flavor.predict(model, rows, inputs) == expected
    assert {answer.label for answer in expected} == {0, 1}


def test_a_named_answer_has_the_probability_of_its_name() -> None:
    model, rows, _, inputs = fitted("one of three names")
    probabilities = model.predict_proba(numpy.array(rows, dtype=object))
    expected = [
        Labelled(label=("cheap", "fair", "größer")[place], probability=row[place])
        for row in probabilities
        for place in [int(row.argmax())]
    ]
    assert flavor.predict(model, rows, inputs) == expected
    assert len({answer.label for answer in expected}) == 3


def test_a_classifier_without_probabilities_is_refused() -> None:
    model = LinearSVC().fit(NUMBERS_ONLY, IS_DEAR)
    with pytest.raises(Refused, match="expected a classifier with predict_proba, found one without"):
        flavor.predict(model, NUMBERS_ONLY[:1], DOUBLES)


def test_two_numbers_a_row_are_refused() -> None:
    model = LinearRegression().fit(NUMBERS_ONLY, NUMBERS_ONLY)
    with pytest.raises(Refused, match=r"expected one prediction for each of 3 rows, found an array of \(3, 2\)"):
        flavor.predict(model, NUMBERS_ONLY[:3], DOUBLES)


def whole(folder: Path) -> Path:
    file = folder / flavor.MODEL_FILE
    skops.io.dump(Ridge().fit(NUMBERS_ONLY, PRICE), file)
    return file


def test_a_whole_file_is_loaded(tmp_path: Path) -> None:
    whole(tmp_path)
    expected = Ridge().fit(NUMBERS_ONLY, PRICE).predict(NUMBERS_ONLY).tolist()
    assert flavor.predict(flavor.load(tmp_path), NUMBERS_ONLY, DOUBLES) == pytest.approx(expected, rel=TOLERANCE)


def cut_short(folder: Path) -> None:
    file = whole(folder)
    file.write_bytes(file.read_bytes()[:-200])


def flip_a_byte(folder: Path) -> None:
    file = whole(folder)
    content = bytearray(file.read_bytes())
    content[60] ^= 1
    file.write_bytes(content)


def plant(folder: Path) -> None:
    skops.io.dump(make_pipeline(FunctionTransformer(), Planted()), folder / flavor.MODEL_FILE)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (lambda _: None, r"expected model\.skops, found none: log the model with serialization_format='skops'"),
    "a pickle": (
        lambda folder: (folder / flavor.MODEL_FILE).write_bytes(pickle.dumps(Ridge())),
        r"expected a skops file, found another, such as a pickle: it is never loaded",
    ),
    "an empty file": (
        lambda folder: (folder / flavor.MODEL_FILE).write_bytes(b""),
        "expected a skops file, found another",
    ),
    "cut short": (cut_short, r"expected a whole skops file, cannot load it: BadZipFile: File is not a zip file"),
    "a flipped byte": (flip_a_byte, r"expected a whole skops file, cannot load it: "),
    "a type nobody trusts": (plant, r"expected trusted types only, found .*Planted"),
}


def test_a_model_of_a_library_that_is_not_installed_is_refused_by_the_librarys_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = numpy.arange(60.0)[:, None]
    skops.io.dump(LGBMRegressor(n_estimators=1, verbosity=-1).fit(rows, rows[:, 0]), tmp_path / flavor.MODEL_FILE)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightgbm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(Refused, match=r"expected a model of what is installed here, found one that needs lightgbm$"):
        flavor.load(tmp_path)


@pytest.mark.parametrize("case", SPOILT)
def test_a_file_that_is_not_a_whole_and_trusted_model_is_refused_with_its_own_message(
    case: str, tmp_path: Path
) -> None:
    spoil, message = SPOILT[case]
    spoil(tmp_path)
    with pytest.raises(Refused, match=message) as refusal:
        flavor.load(tmp_path)
    assert "\n" not in str(refusal.value)
    assert called == []
