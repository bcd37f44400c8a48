"""What a column of each declared type takes, and what a model is given of it."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from services.contract.errors import Refused
from services.contract.model_config import ColumnType, Data
from services.contract.moments import moment_text
from services.contract.task import Task
from training.columns import texts, typed
from training.dataset import as_given, read_csv, split

NONE = None


def given(values: Any, kind: str, optional: bool = False) -> pandas.Series:
    return typed(pandas.Series(values, name="x"), kind, optional)


def table(values: list[Any], kind: ColumnType = "string", labels: list[Any] | None = None) -> str | None:
    """What a table with this column is refused for."""
    data = Data(source="made up", target="y", columns={"x": kind, "n": "double"}, holdout_sha256=None)
    rows = {"x": values, "n": numpy.arange(len(values)) * 1.0, "y": labels or ["a", "b"] * (len(values) // 2)}
    try:
        split(pandas.DataFrame(rows), data, "classification", "t")
    except Refused as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1000, 1001], "1000 of type int64"),
        ([1001.0, 1002.0], "1001.0 of type float64"),
        ([True, False], "True of type bool"),
        ([1, "1"], "1 of type int"),
        (["a", 1.5], "1.5 of type float"),
        ([[1], [2]], "[1] of type list"),
        ([b"a", b"b"], "b'a' of type bytes"),
        (list(pandas.date_range("2020-01-01", periods=2)), "2020-01-01 00:00:00 of type datetime64"),
        (list(pandas.period_range("2020", periods=2)), "2020-01-01 of type Period"),
        ([Decimal(1), Decimal(2)], "1 of type Decimal"),
        ([numpy.int8(1), "a"], "1 of type int8"),
        ([numpy.array([1, 2]), "a"], "[1 2] of type ndarray"),
    ],
)
def test_a_string_column_takes_strings_only(values: list[Any], found: str) -> None:
    assert table(list(values) * 50) == (
        f"t: column 'x': expected texts, found {found}: write texts, or let `load(files, read)` read CSV with the "
        "declared types"
    )


@pytest.mark.parametrize("dtype", ["object", "string", "category", "string[pyarrow]"])
def test_a_string_column_may_have_any_of_pandas_types_for_texts(dtype: str) -> None:
    pytest.importorskip("pyarrow") if "pyarrow" in dtype else None
    found = given(pandas.Series(["01000", "b"], dtype=dtype), "string")
    assert found.dtype == "object" and found.tolist() == ["01000", "b"]
    with pytest.raises(ValueError, match="expected texts, found 1 of type int"):
        given(pandas.Series([1, 2], dtype="category"), "string")


def test_a_whole_number_is_a_label_and_other_numbers_are_not() -> None:
    inputs = ["a", "b"] * 50
    assert table(inputs, labels=[1, 2] * 50) is None
    assert given([1, 2], "name").tolist() == ["1", "2"]
    for labels, found in (([1.0, 2.0], "1.0 of type float64"), ([True, False], "True of type bool")):
        assert table(inputs, labels=labels * 50) == (
            f"t: column 'y': expected texts or whole numbers, found {found}: write the label as a text"
        )
    assert table(inputs, labels=["a", NONE] * 50) == "t: column 'y': expected a value in every row, found 50 without"


def test_true_and_whole_floats_are_0_and_1_where_a_label_is_one_of_both() -> None:
    assert given([True, False], "label").tolist() == given([1.0, 0.0], "label").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "kind", "dtype", "expected", "csv"),
    [
        (["a", None], "string", "object", ["a", "nan"], ["a", None]),
        (["a", ""], "string", "object", ["a", "nan"], ["a", None]),
        (pandas.array(["a", pandas.NA]), "string", "object", ["a", "nan"], ["a", None]),
        ([7, None], "long", "float64", ["7.0", "nan"], ["7", None]),
        (pandas.array([7, None], dtype="Int64"), "long", "float64", ["7.0", "nan"], ["7", None]),
        ([7, 8], "long", "float64", ["7.0", "8.0"], ["7", "8"]),
        ([True, None], "boolean", "float64", ["1.0", "nan"], ["True", None]),
        (pandas.array([True, None], dtype="boolean"), "boolean", "float64", ["1.0", "nan"], ["True", None]),
        ([1.5, None], "double", "float64", ["1.5", "nan"], [1.5, None]),
        (pandas.array([1.5, None], dtype="Float64"), "double", "float64", ["1.5", "nan"], [1.5, None]),
        (["2013-12-27", None], "date", "datetime64[ns]", ["2013-12-27 00:00:00", "NaT"], ["2013-12-27", None]),
        ([datetime.date(2013, 12, 27), None], "date", "datetime64[ns]", ["2013-12-27 00:00:00", "NaT"],
         ["2013-12-27", None]),
        (["2013-12-27T19:00:00+01:00", ""], "datetime", "datetime64[ns]", ["2013-12-27 18:00:00", "NaT"],
         ["2013-12-27T18:00:00Z", None]),
    ],
)  # fmt: skip
def test_a_missing_value_is_nan_for_a_model_and_an_empty_field_in_the_canonical_csv(
    values: Any, kind: str, dtype: str, expected: list[str], csv: list[Any]
) -> None:
    found = given(values, kind, optional=True)
    assert found.dtype == dtype
    assert list(map(str, found)) == expected
    assert [None if pandas.isna(one) else one for one in texts(found, kind, optional=True)] == csv


@pytest.mark.parametrize(
    "value",
    [
        "2013-12-27T19:00:00Z",
        "2013-12-27 19:00",
        "2013-12-27T20:00:00+01:00",
        pandas.Timestamp("2013-12-27 19:00"),
        pandas.Timestamp("2013-12-27 14:00", tz="America/New_York"),
        numpy.datetime64("2013-12-27T19", "s"),
        datetime.datetime(2013, 12, 27, 19, tzinfo=datetime.UTC),
    ],
)
def test_a_datetime_without_an_offset_is_in_utc_and_one_with_it_becomes_utc(value: Any) -> None:
    found = given([value], "datetime")
    assert found.tolist() == [pandas.Timestamp("2013-12-27 19:00")]
    assert texts(found, "datetime", optional=False).tolist() == ["2013-12-27T19:00:00Z"]


@pytest.mark.parametrize(
    ("value", "kind", "complaint"),
    [
        (20131227, "date", "expected dates, found 20131227 of type int64"),
        ("27.12.2013", "date", "expected a date as ISO 8601 has it, such as 2013-12-27, found '27.12.2013'"),
        ("20131227", "date", "expected a date as ISO 8601 has it, such as 2013-12-27, found '20131227'"),
        ("2013-13-01", "datetime", "expected a datetime as ISO 8601 has it, such as"),
        (pandas.Timestamp("2013-12-27 19:00"), "date", "expected a date such as 2013-12-27 without a time of day"),
        (numpy.datetime64("0001-01-01", "s"), "datetime", "expected a datetime from 1678 to 2261, found '0001"),
        ("\ud800", "string", "expected texts of Unicode, found half of a surrogate pair"),
        ("0012-01-01", "date", "expected a date from 1678 to 2261, found '0012-01-01'"),
        (pandas.Timestamp(1), "datetime", "expected a datetime of whole microseconds, found '1970"),
        (float(2**53), "long", None),
        (float(2**54), "long", "expected whole numbers up to 2^53 where one may be missing, found a larger one"),
    ],
)  # fmt: skip
def test_what_is_no_moment_or_no_exact_number_is_refused_with_the_value(
    value: Any, kind: str, complaint: str | None
) -> None:
    if complaint is None:
        assert given([value], kind, optional=True).tolist() == [value]
        return
    with pytest.raises(ValueError, match="expected") as error:
        given([value], kind, optional=kind == "long")
    assert str(error.value).startswith(complaint)


@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_many_moments_have_the_texts_that_each_has(kind: str) -> None:
    values = ["2013-12-27T19:00:00.000001Z", "1678-01-01", "2261-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z", None]
    of_kind = [value and (value[:10] if kind == "date" else value) for value in values]
    found = given(of_kind, kind, optional=True)
    assert texts(found, kind, optional=True).tolist() == [value and moment_text(value, kind) for value in of_kind]
    assert given(found, kind, optional=True).equals(found)


MIXED = Data(
    source="made up", target="y", holdout_sha256=None,
    columns={"zip": "string", "n": "long", "ok": "boolean", "day": "date", "at": "datetime"},
    optional=("zip", "n", "ok", "day", "at"),
)  # fmt: skip


def test_a_file_and_a_frame_of_the_same_rows_have_the_same_digests(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    lines = [f"0{1000 + n},{n},{n % 2 == 0},2013-12-{1 + n % 28:02},2013-12-27 {n % 24:02}:30,{n}" for n in range(60)]
    file.write_text("\n".join(["zip,n,ok,day,at,y", *lines, ",,,,,1", "0,9007199254740992,TRUE,,,2"]))
    of_file = split(read_csv(file, MIXED, "regression"), MIXED, "regression", "")
    frame = pandas.read_csv(file, dtype={"zip": str}, parse_dates=["day", "at"])
    of_frame = split(frame, MIXED, "regression", "")
    for one, other in ((of_file.training, of_frame.training), (of_file.holdout, of_frame.holdout)):
        assert one.csv.decode() == other.csv.decode()
    assert b"01001,1,False,2013-12-02,2013-12-27T01:30:00Z,1.0" in of_file.training.csv + of_file.holdout.csv
    assert b"\n,,,,,1.0\n" in of_file.training.csv + of_file.holdout.csv


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("01000,x,true,2013-12-27,2013-12-27", "column 'n': expected a whole number or an empty field, found 'x'"),
        ("01000,1,yes,2013-12-27,2013-12-27", "column 'ok': expected true or false or an empty field, found 'yes'"),
        ("1,1,true,27.12.13,2013-12-27", "column 'day': expected a date such as 2013-12-27 or an empty field"),
        ("1,1,true,,now", "column 'at': expected a datetime such as 2013-12-27T19:00:00Z or an empty"),
    ],
)  # fmt: skip
def test_a_cell_of_another_type_is_refused_with_its_line(cell: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"zip,n,ok,day,at,y\n{cell},1\n")
    with pytest.raises(Refused) as refused:
        read_csv(file, MIXED, "regression")
    assert str(refused.value).startswith(f"{file}:2: {complaint}")


@pytest.mark.parametrize("task", ["binary-classification", "regression"])
def test_true_and_0_and_1_are_read_from_a_file_as_from_a_frame(tmp_path: Path, task: Task) -> None:
    file, data = tmp_path / "rows.csv", Data(source="m", target="y", columns={"x": "boolean"}, holdout_sha256=None)
    texts = ["true", "FALSE", "1", "0", "1.0", "0.0"]
    file.write_text("x,y\n" + "".join(f"{text},{text if task != 'regression' else 1}\n" for text in texts))
    found = read_csv(file, data, task)
    assert found["x"].tolist() == [True, False] * 3
    assert found["y"].tolist() == ([1, 0] * 3 if task != "regression" else [1.0] * 6)


@pytest.mark.parametrize("text", ["9999-12-31", "2013-12-27T10:00:00.1234567Z"])
def test_a_moment_that_looks_right_and_is_not_taken_has_its_reason(tmp_path: Path, text: str) -> None:
    file, data = tmp_path / "rows.csv", Data(source="m", target="y", columns={"x": "datetime"}, holdout_sha256=None)
    file.write_text(f"x,y\n{text},1\n")
    with pytest.raises(Refused, match=f"found '{text}': years are 1678 to 2261, and seconds have at most six decimals"):
        read_csv(file, data, "regression")


def test_a_table_that_is_none_or_has_a_column_twice_is_refused() -> None:
    frame = pandas.DataFrame([[1.0, 2.0, 3.0]] * 2, columns=["n", "n", "y"])
    data = Data(source="m", target="y", columns={"n": "double"}, holdout_sha256=None)
    for rows, found in (
        (frame, "expected each column once, found 'n' 2 times"),
        (frame["y"], "DataFrame .* found Series"),
    ):
        with pytest.raises(Refused, match=found):
            split(rows, data, "regression", "made up")
        with pytest.raises(Refused, match=found):
            as_given(rows, rows, data, "regression", "made up")


BY_TIME = {"source": "", "target": "y", "columns": {"n": "double"}, "split_by_time": "day", "holdout_sha256": None}


def by_time(days: list[Any], **changes: Any) -> tuple[list[float], list[float]]:
    data = Data.model_validate({**BY_TIME, **changes})
    frame = pandas.DataFrame({"n": numpy.arange(len(days)) * 1.0, "y": 1.0, "day": days})
    dataset = split(frame, data, "regression", "made up")
    return dataset.training.inputs["n"].tolist(), dataset.holdout.inputs["n"].tolist()


@pytest.mark.parametrize(
    "days",
    [
        [f"2013-01-{day:02}" for day in range(10, 0, -1)],
        [pandas.Timestamp(2013, 1, day) for day in range(10, 0, -1)],
        list(range(10, 0, -1)),
        [f"2013-01-10T00:0{n}:00+01:00" for n in range(9, -1, -1)],
    ],
)
def test_the_last_rows_by_time_are_held_out(days: list[Any]) -> None:
    assert by_time(days) == ([2, 3, 4, 5, 6, 7, 8, 9], [0, 1])


def test_rows_of_one_time_stay_on_one_side() -> None:
    assert by_time([2011, 2012, 2012, 2013, 2013, 2013]) == ([0, 1, 2], [3, 4, 5])


def test_the_column_of_the_split_by_time_may_be_an_input() -> None:
    training, holdout = by_time(["2013-01-01", "2013-01-02", "2013-01-03"], columns={"n": "double", "day": "date"})
    assert (training, holdout) == ([0, 1], [2])


@pytest.mark.parametrize(
    ("days", "complaint"),
    [
        (["2013-01-01", None], "column 'day', by which the rows are split: expected a value in every row, found 1"),
        (["2013-01-01", "Friday"], "column 'day', by which the rows are split: expected a datetime as ISO 8601 has it"),
        (["2013-01-01", 7], "column 'day', by which the rows are split: expected datetimes, found 7 of type int"),
        ([2013, 2013], "expected enough rows for a training set and a hold-out, found 2"),
    ],
)  # fmt: skip
def test_rows_that_time_does_not_put_in_order_are_refused(days: list[Any], complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        by_time(days)
    assert str(refused.value).startswith(f"made up: {complaint}")


def test_a_table_without_the_column_of_the_split_by_time_is_refused(tmp_path: Path) -> None:
    data = Data.model_validate(BY_TIME)
    with pytest.raises(Refused, match="expected the column 'day' that data.split_by_time names, found none"):
        split(pandas.DataFrame({"n": [1.0, 2.0], "y": [1.0, 2.0]}), data, "regression", "made up")
    (tmp_path / "rows.csv").write_text("n,y\n1,2\n")
    with pytest.raises(Refused, match="expected columns n, y, day; missing: day"):
        read_csv(tmp_path / "rows.csv", data, "regression")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"split_by": "n"}, "expected split_by or split_by_time, found both"),
        ({"columns": {"day": "date"}, "optional": ["day"]}, "split_by_time: expected a column that is never missing"),
        ({"columns": {"day": "string"}}, "split_by_time: expected dates, datetimes or numbers, found 'day'"),
        ({"target": "n"}, "columns: expected inputs, found the target 'n': a model would be given it"),
        ({"optional": ["m"]}, "optional: expected names of columns, found 'm'"),
    ],
)
def test_a_split_that_contradicts_the_columns_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Data.model_validate({**BY_TIME, **changes})
