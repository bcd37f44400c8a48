"""A scikit-learn model as a graph answers like the library itself, or says why it cannot; a file is looked at first."""

import itertools
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

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
}


def fitted(case: str) -> Case:
    model, rows, target, inputs = CASES[case]()
    if target.dtype == bool:
        target = numpy.where(target, "yes", "no")
    return model.fit(numpy.array(rows, dtype=object), target), rows, target, inputs


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
    for row in itertools.chain.from_iterable(edges(row, inputs) for row in rows[:5]):
        answer, found = finite(library, row), finite(graph.predict, row)
        assert (answer is None) == (found is None), row
        if answer is not None and found is not None:
            asked += 1
            assert difference(answer, found) <= TOLERANCE, row
    assert asked > 20


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
        with pytest.raises(ValueError):
            predict([["never seen", "unused"]])


def by_category() -> Any:
    return make_pipeline(HistGradientBoostingRegressor(categorical_features=[0], max_iter=2))


WITHOUT_A_GRAPH: dict[str, tuple[Callable[[], Any], str]] = {
    "a step that skl2onnx does not know": (
        lambda: TransformedTargetRegressor(Ridge(), func=numpy.log, inverse_func=numpy.exp),
        r"^TransformedTargetRegressor has no ONNX form here: MissingShapeCalculator: Unable to find a shape calculator",
    ),
    "a function": (
        lambda: make_pipeline(FunctionTransformer(numpy.log1p), Ridge()),
        "^Ridge has no ONNX form here: .*FunctionTransformer",
    ),
    "trees in single precision": (
        lambda: RandomForestRegressor(2),
        "^RandomForestRegressor has no ONNX form here: ",
    ),
    "splits by category": (by_category, "^trees that split by category have no ONNX form here: encode the categories"),
}


@pytest.mark.parametrize("case", WITHOUT_A_GRAPH)
def test_a_model_without_a_graph_is_refused_with_the_reason_in_one_line(case: str, tmp_path: Path) -> None:
    build, reason = WITHOUT_A_GRAPH[case]
    rows = numpy.abs(numpy.array(NUMBERS_ONLY)).round()
    with pytest.raises(Refused, match=reason) as refusal:
        flavor.to_onnx(build().fit(rows, PRICE), tmp_path, DOUBLES)
    assert "\n" not in str(refusal.value)


def test_words_beside_numbers_need_a_step_that_tells_them_apart(tmp_path: Path) -> None:
    model = make_pipeline(OneHotEncoder(), Ridge()).fit(numpy.array(ROWS, dtype=object), PRICE)
    with pytest.raises(Refused, match="expected a ColumnTransformer first where strings stand beside numbers"):
        flavor.to_onnx(model, tmp_path, INPUTS)


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
