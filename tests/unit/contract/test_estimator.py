"""Estimators are asked for rows as they were fitted: columns by name with their types, or an array."""

from typing import Any

import numpy
import pandas
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from services.contract.errors import Refused
from services.contract.estimator import ask_estimator, table_of
from services.contract.prediction import Labelled
from services.contract.release import Column
from services.contract.typed_rows import frame, matrix
from services.delivery.flavors import sklearn as gates
from services.prediction.runtimes.sklearn import SklearnModel

INPUTS = (
    Column(name="island", type="string"),
    Column(name="bill", type="double", required=False),
    Column(name="year", type="long"),
    Column(name="wild", type="boolean"),
)
ROWS: list[list[Any]] = [
    ["Biscoe", 39.1, 2007, True],
    ["Dream", float("nan"), 2008, False],
    ["Torgersen", 41.5, 2009, True],
] * 4
SPECIES = ["a", "b", "c"] * 4
NUMBERS = make_pipeline(SimpleImputer(), StandardScaler())
BILL, WORDS = ["bill", "year"], ["island"]

BY_NAME: dict[str, Any] = {
    "names": make_column_transformer((NUMBERS, BILL), (OneHotEncoder(handle_unknown="ignore"), WORDS)),
    "a name of its own": ColumnTransformer([("text", CountVectorizer(), "island"), ("number", NUMBERS, ["bill"])]),
    "selector": make_column_transformer(
        (NUMBERS, make_column_selector(dtype_include="number")),
        (OneHotEncoder(), make_column_selector(dtype_include=object)),
        (OneHotEncoder(), make_column_selector(dtype_include=bool)),
    ),
    "selector by pattern": make_column_transformer((NUMBERS, make_column_selector(pattern="^bill"))),
    "remainder": make_column_transformer(
        (OneHotEncoder(), WORDS), (NUMBERS, ["bill"]), remainder="passthrough", sparse_threshold=0
    ),
    "pandas inside": Pipeline(
        [
            ("first", make_column_transformer((SimpleImputer(), BILL), verbose_feature_names_out=False)),
            ("second", make_column_transformer((StandardScaler(), ["year"]))),
        ]
    ).set_output(transform="pandas"),
    "places": make_column_transformer((NUMBERS, [1, 2]), (OneHotEncoder(), [0, 3])),
    "a slice of names": make_column_transformer((NUMBERS, slice("bill", "year"))),
}


@pytest.mark.parametrize("columns", BY_NAME)
def test_columns_that_were_chosen_in_training_are_chosen_alike_wherever_the_model_is_asked(columns: str) -> None:
    # Forests instead of distances: each row must reach the model with its values in the right columns.
    model = make_pipeline(BY_NAME[columns], RandomForestClassifier(5, random_state=0))
    training = pandas.DataFrame(ROWS, columns=[column.name for column in INPUTS])
    model.fit(training, SPECIES)
    expected = [
        Labelled(label=label, probability=float(row[list(model.classes_).index(label)]))
        for label, row in zip(model.predict(training).tolist(), model.predict_proba(training), strict=True)
    ]
    assert gates.predict(model, ROWS, INPUTS) == expected
    online = SklearnModel(model, INPUTS)
    assert [online.predict([row])[0] for row in ROWS[:3]] == expected[:3]


def test_a_frame_has_the_types_of_training_also_for_one_row_and_for_none() -> None:
    for rows in (ROWS, ROWS[1:2], []):
        found = frame(rows, INPUTS)
        assert list(map(str, found.dtypes)) == ["object", "float64", "int64", "bool"]
        assert list(found.columns) == ["island", "bill", "year", "wild"]
        assert len(found) == len(rows)


def test_a_model_whose_first_step_makes_an_array_is_given_one_and_so_is_one_that_was_fitted_on_arrays() -> None:
    training = frame(ROWS, INPUTS)[["year"]]
    copies = make_pipeline(FunctionTransformer(numpy.asarray), GaussianNB()).fit(training, SPECIES)
    on_arrays = make_pipeline(StandardScaler(), GaussianNB()).fit(training.to_numpy(), SPECIES)
    by_name = make_pipeline(StandardScaler(), GaussianNB()).fit(training, SPECIES)
    bare = GaussianNB().fit(training, SPECIES)
    assert [table_of(one) for one in (copies, on_arrays, by_name, bare)] == [matrix, matrix, frame, frame]


def test_a_model_that_fails_on_rows_says_the_librarys_own_reason() -> None:
    with pytest.raises(ValueError, match="ValueError: .*could not convert string to float: 'x'"):
        ask_estimator(LinearRegression().fit([[1.0]], [1.0]), numpy.array([["x"]], dtype=object))


def test_an_error_of_any_kind_is_about_these_rows() -> None:
    def look_up(rows: Any) -> Any:
        return [[{1.0: 2.0}[row[0]]] for row in rows]

    model = make_pipeline(FunctionTransformer(look_up), LinearRegression()).fit([[1.0]], [1.0])
    with pytest.raises(ValueError, match="KeyError: 3"):
        ask_estimator(model, [[3.0]])


def test_an_answer_of_another_shape_is_the_models_fault_and_not_the_rows() -> None:
    model = LinearRegression().fit([[1.0], [2.0]], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(Refused, match="expected one prediction for each of 1 rows"):
        ask_estimator(model, [[3.0]])
