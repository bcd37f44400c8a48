"""A model of any flavor is loaded where it belongs and nowhere else, and answers what was declared."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from services.contract import names
from services.contract.errors import Refused
from services.contract.prediction import Labelled
from services.contract.pyfunc_model import ask_pyfunc, load_pyfunc, predictions_of
from services.contract.release import Column
from services.delivery.flavors import pyfunc as flavor

INPUTS = (
    Column(name="carat", type="double", required=False),
    Column(name="cut", type="string"),
    Column(name="grade", type="long"),
    Column(name="sold", type="boolean"),
)
ROWS = [[0.3, "Ideal", 1, True], [float("nan"), "Fair", 2, False]]


class Model:
    """In place of what MLflow loads."""

    def __init__(self, answers: Any) -> None:
        self.answers, self.asked = answers, pandas.DataFrame()

    def predict(self, table: pandas.DataFrame) -> Any:
        self.asked = table
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers


@pytest.mark.parametrize(
    "answers",
    [
        [1.5, 2.0],
        numpy.array([1.5, 2.0]),
        numpy.array([[1.5], [2.0]], dtype=numpy.float32),
        pandas.Series([1.5, 2.0], index=[7, 9]),
        pandas.DataFrame({"0": [1.5, 2.0]}),
    ],
)
def test_a_number_a_row_may_come_in_any_shape_that_says_so(answers: Any) -> None:
    assert predictions_of(answers, 2) == [1.5, 2.0]


@pytest.mark.parametrize("labels", [["a", "b"], [1, 0], numpy.array([1, 0])])
def test_a_label_comes_with_its_probability(labels: Any) -> None:
    found = predictions_of(pandas.DataFrame({"probability": [0.9, 0.2], "label": labels, "more": [0, 0]}), 2)
    assert found == [
        Labelled(label=label, probability=one) for label, one in zip(list(labels), (0.9, 0.2), strict=True)
    ]


def test_labels_may_come_as_a_list_of_records() -> None:
    assert predictions_of([{"label": "a", "probability": 1.0}], 1) == [Labelled(label="a", probability=1.0)]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (numpy.array([[0.1, 0.9], [0.2, 0.8]]), r"found ndarray \(ValueError: too many values"),
        ([1.0], r"found list \(1 answers for 2 rows\)"),
        (["a", "b"], r"found list \(ValueError: could not convert string to float: 'a'"),
        (3.0, r"found float \(ValueError"),
        (pandas.DataFrame({"label": [1.5, 2.5], "probability": [0.1, 0.2]}), r"found DataFrame \(ValidationError"),
    ],
)
def test_other_answers_are_refused_with_what_was_found_and_what_to_do(answers: Any, found: str) -> None:
    with pytest.raises(Refused, match=f"^expected `predict` to give a number a row, or .*{found}.*: write predict so"):
        predictions_of(answers, 2)


def test_a_model_is_asked_a_table_with_the_declared_columns_and_types() -> None:
    model = Model([1.0, 2.0])
    assert ask_pyfunc(model, ROWS, INPUTS) == [1.0, 2.0]
    assert dict(model.asked.dtypes.astype(str)) == {
        "carat": "float64", "cut": "object", "grade": "int64", "sold": "bool"
    }  # fmt: skip
    assert model.asked["carat"].isna().tolist() == [False, True]


def test_a_row_that_the_model_cannot_take_is_told_with_the_librarys_own_reason() -> None:
    with pytest.raises(ValueError, match="^KeyError: 'never seen before'$"):
        ask_pyfunc(Model(KeyError("never seen before")), ROWS, INPUTS)


def test_a_model_without_a_lock_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"expected requirements.lock beside the model, found none: log it with"):
        flavor.load(tmp_path)


@pytest.mark.parametrize(
    ("described", "found"),
    [
        (
            "flavors: {python_function: {python_version: 3.8.1}}",
            "expected Python 3.8.1, which the model was trained with",
        ),
        ("flavors: {sklearn: {}}", "expected an MLmodel that names its version of Python: KeyError: 'python_function'"),
        ("{", "expected an MLmodel that names its version of Python: ParserError"),
        ("", "expected an MLmodel that names its version of Python: TypeError"),
    ],
)
def test_a_model_of_another_python_is_not_loaded(
    described: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / names.LOCK_FILE).touch()
    (tmp_path / "MLmodel").write_text(described)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(Refused, match=re.escape(found)):
        load_pyfunc(tmp_path)


def test_a_model_is_not_loaded_outside_of_the_environment_of_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it loaded, the file would not be the reason: there is none."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / names.LOCK_FILE).write_text("six==1.17.0")
    with pytest.raises(
        Refused, match=r"expected the environment of requirements.lock, found .*: it is not loaded here"
    ):
        load_pyfunc(tmp_path / "model")
    (tmp_path / names.LOCK_FILE).write_text("six==1.16.0")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(Refused, match="it is not loaded here"):
        load_pyfunc(tmp_path / "model")
