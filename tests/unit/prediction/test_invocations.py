"""MLflow's protocol: four forms of the same rows, and every wrong input named without repeating it."""

import json
import math
from typing import Any

import pytest

from services.contract.release import Column
from services.prediction.invalid import Invalid
from services.prediction.invocations import read_invocation
from tests.support.release_factory import INPUTS

RECORDS = [{"carat": 0.3, "cut": "Ideal", "grade": 1}, {"grade": 2, "carat": 1, "cut": "Fair"}]
EXPECTED = [[0.3, "Ideal", 1], [1.0, "Fair", 2]]
ONE = [0.3, "Ideal", 1]


def read(content: Any, max_rows: int = 10) -> list[list[Any]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_invocation(body, INPUTS, max_rows).rows


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": {"columns": ["cut", "carat", "grade"], "data": [["Ideal", 0.3, 1], ["Fair", 1, 2]]}},
        {"dataframe_split": {"index": [0, 1], "columns": ["carat", "cut", "grade"], "data": EXPECTED}},
        {"dataframe_records": RECORDS},
        {"inputs": {"grade": [1, 2], "carat": [0.3, 1], "cut": ["Ideal", "Fair"]}},
        {"instances": RECORDS},
        {"instances": EXPECTED},
        {"inputs": RECORDS, "params": {}, "other": 1},
        {"dataframe_records": [{**record, "other": [1]} for record in RECORDS]},
        {"dataframe_split": {"columns": [[], "carat", "cut", "grade"], "data": [[None, *row] for row in EXPECTED]}},
    ],
    ids=[
        "split",
        "split with index",
        "records",
        "inputs",
        "instances of objects",
        "instances of lists",
        "inputs of objects, and other fields",
        "records with another column",
        "split with a column that is no name",
    ],
)
def test_every_form_gives_the_same_rows_in_the_models_order(content: dict[str, Any]) -> None:
    assert read(content) == EXPECTED


WRONG: dict[str, tuple[Any, int, str]] = {
    "missing column": ({"instances": [{"carat": 1, "cut": "a"}]}, 422, "row 0: column 'grade' is missing"),
    "missing in split": (
        {"dataframe_split": {"columns": ["carat", "cut"], "data": [[1, "a"]]}},
        422,
        "column 'grade' is missing",
    ),
    "twice in split": (
        {"dataframe_split": {"columns": ["carat", "cut", "grade", "cut"], "data": [[1, "a", 1, "b"]]}},
        422,
        "column 'cut' is given twice",
    ),
    "string for number": (
        {"instances": [ONE, ["secret", "a", 1]]},
        422,
        "row 1, column 'carat': expected a number, found a string",
    ),
    "boolean for number": (
        {"instances": [[True, "a", 1]]},
        422,
        "row 0, column 'carat': expected a number, found true or false",
    ),
    "number for string": (
        {"instances": [[1, 7, 1]]},
        422,
        "row 0, column 'cut': expected a string, found a whole number",
    ),
    "fraction for whole": (
        {"instances": [[1, "a", 1.5]]},
        422,
        "row 0, column 'grade': expected a whole number, found a number",
    ),
    "too long a whole": (
        {"instances": [[1, "a", 2**63]]},
        422,
        "expected a whole number of 64 bits, found a larger one",
    ),
    "null": ({"instances": [[None, "a", 1]]}, 422, "row 0, column 'carat': expected a number, found null"),
    "NaN": (b'{"instances": [[NaN, "a", 1]]}', 422, "row 0, column 'carat': expected a finite number"),
    "Infinity": (b'{"instances": [[-Infinity, "a", 1]]}', 422, "row 0, column 'carat': expected a finite number"),
    "1e400": (b'{"instances": [[1e400, "a", 1]]}', 422, "row 0, column 'carat': expected a finite number"),
    "401 digits": (b'{"instances": [[1' + b"0" * 400 + b', "a", 1]]}', 422, "expected a finite number"),
    "lone surrogate": (b'{"instances": [[1, "\\ud800", 1]]}', 422, "row 0, column 'cut': expected a string of Unicode"),
    "ragged": ({"instances": [ONE, [1, "a"]]}, 422, "row 1: expected a list of 3 values, found a list of 2"),
    "ragged split": (
        {"dataframe_split": {"columns": ["carat", "cut", "grade"], "data": [ONE, 1]}},
        422,
        "row 1: expected a list of 3 values, found a whole number",
    ),
    "ragged inputs": ({"inputs": {"carat": [1, 2], "cut": ["a"], "grade": [1, 2]}}, 422, "columns of equal length"),
    "a value beside two": ({"inputs": {"carat": [1, 2], "cut": "a", "grade": [1, 2]}}, 422, "columns of equal length"),
    "inputs of a value": ({"inputs": "secret"}, 422, "inputs: expected a list, found a string"),
    "a row without a list": ({"inputs": ONE}, 422, "row 0: expected a list of 3 values, found a number"),
    "mixed rows": ({"instances": [RECORDS[0], ONE]}, 422, "row 1: expected an object of columns, found a list of 3"),
    "lists then object": ({"instances": [ONE, RECORDS[0]]}, 422, "row 1: expected a list of 3 values, found an object"),
    "empty": ({"instances": []}, 422, "instances: expected at least one row, found none"),
    "empty inputs": ({"inputs": {"carat": [], "cut": [], "grade": []}}, 422, "expected at least one row, found none"),
    "too many rows": ({"instances": [ONE] * 11}, 413, "instances: expected at most 10 rows, found 11"),
    "split without data": ({"dataframe_split": {"columns": []}}, 422, "expected an object of columns and data"),
    "not JSON": (b"carat=1", 400, "expected a JSON object in UTF-8"),
    "not UTF-8": (b'{"instances": "\xff"}', 400, "expected a JSON object in UTF-8"),
    "nested too deep": (b"[" * 100_000, 400, "expected a JSON object in UTF-8"),
    "5,000 digits": (b'{"instances": [[1' + b"0" * 5000 + b"]]}", 400, "expected a JSON object in UTF-8"),
    "no object": ([ONE], 400, "expected a JSON object, found a list of 1"),
    "a name twice": (b'{"instances": [], "instances": []}', 400, "expected each name once in a JSON object"),
    "two forms": ({"instances": [ONE], "dataframe_records": RECORDS}, 422, "found dataframe_records, instances"),
    "no form": ({"secret": 1}, 422, "found none of them"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_and_never_repeated(case: str) -> None:
    content, status, text = WRONG[case]
    with pytest.raises(Invalid) as refusal:
        read(content)
    assert (refusal.value.status, text in str(refusal.value)) == (status, True), refusal.value
    assert "secret" not in str(refusal.value)


def test_at_most_ten_problems_are_listed() -> None:
    with pytest.raises(Invalid) as refusal:
        read({"instances": [["a", 1, "b"]] * 9})
    assert len(refusal.value.problem.problems) == 10


OPTIONAL = (Column(name="cut", type="string"), Column(name="depth", type="double", required=False))


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": {"columns": ["cut"], "data": [["a"]]}},
        {"dataframe_split": {"columns": ["depth", "cut"], "data": [[None, "a"]]}},
        {"dataframe_records": [{"cut": "a"}]},
        {"dataframe_records": [{"cut": "a", "depth": None}]},
        {"inputs": {"cut": ["a"]}},
        {"inputs": {"cut": ["a"], "depth": [None]}},
        {"instances": [{"cut": "a"}]},
        {"instances": [["a", None]]},
    ],
    ids=lambda content: json.dumps(content),
)
def test_an_optional_number_that_is_absent_or_null_is_nan_for_the_model(content: dict[str, Any]) -> None:
    ((cut, depth),) = read_invocation(json.dumps(content).encode(), OPTIONAL, 10).rows
    assert (cut, isinstance(depth, float) and math.isnan(depth)) == ("a", True)


def test_nan_leaves_an_optional_number_out_as_mlflows_clients_write_it_and_infinity_does_not() -> None:
    (row,) = read_invocation(b'{"instances": [["a", NaN]]}', OPTIONAL, 10).rows
    assert isinstance(row[1], float) and math.isnan(row[1])
    with pytest.raises(Invalid, match="row 0, column 'depth': expected a finite number, found NaN, an infinity"):
        read_invocation(b'{"instances": [["a", Infinity]]}', OPTIONAL, 10)


MOMENTS = (Column(name="day", type="date"), Column(name="at", type="datetime"))
ANY = tuple(
    Column(name=kind, type=kind, required=False) for kind in ("double", "long", "string", "boolean", "date", "datetime")
)


@pytest.mark.parametrize("row", [{}, {column.name: None for column in ANY}, {"string": ""}], ids=json.dumps)
def test_a_value_of_any_type_may_be_left_out_where_it_is_optional(row: dict[str, Any]) -> None:
    (cells,) = read_invocation(json.dumps({"dataframe_records": [row]}).encode(), ANY, 10).rows
    assert [isinstance(cell, float) and math.isnan(cell) for cell in cells] == [True] * len(ANY)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["2013-12-27", "2013-12-27T19:00:00Z"], ["2013-12-27", "2013-12-27T19:00:00Z"]),
        (["2013-12-27T00:00:00.000", "2013-12-27T19:00:00.5+01:00"], ["2013-12-27", "2013-12-27T18:00:00.500000Z"]),
        (["2013-12-27T01:00+01:00", "2013-12-27"], ["2013-12-27", "2013-12-27T00:00:00Z"]),
    ],
)
def test_a_moment_has_one_text_in_utc_however_it_is_written(row: list[str], expected: list[str]) -> None:
    assert read_invocation(json.dumps({"instances": [row]}).encode(), MOMENTS, 10).rows == [expected]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ([20131227, "2013-12-27"], "column 'day': expected a date such as \"2013-12-27\", found a whole number"),
        ([None, "2013-12-27"], "column 'day': expected a date such as \"2013-12-27\", found null"),
        (["27.12.2013", "2013-12-27"], "column 'day': expected a date as ISO 8601 has it, such as 2013-12-27"),
        (["2013-12-27T10:00", "2013-12-27"], "column 'day': expected a date such as 2013-12-27 without a time of day"),
        (["2013-12-27", "2013-12-27T25:00"], "column 'at': expected a datetime as ISO 8601 has it, such as"),
        (["2013-12-27", "9999-12-31"], "column 'at': expected a datetime from 1678 to 2261"),
        (["2013-12-27", "2013-12-27T1\u0661:00"], "column 'at': expected a datetime as ISO 8601 has it"),
        (["0001-01-01T00:00+09:00", "2013-12-27"], "column 'day': expected a date as ISO 8601 has it"),
    ],
)  # fmt: skip
def test_what_is_no_moment_is_named(row: list[Any], problem: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_invocation(json.dumps({"instances": [row]}).encode(), MOMENTS, 10)
    assert refusal.value.problem.problems[0].startswith(f"row 0, {problem}")
