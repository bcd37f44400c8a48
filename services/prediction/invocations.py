"""MLflow's scoring protocol: four ways to write the same rows (mlflow.org, "Local Inference Server")."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.contract.release import Column
from services.prediction.column_types import check_rows
from services.prediction.invalid import Invalid, describe, refuse_if
from services.prediction.runtimes import Cell

Rows = list[list[Any]]
Inputs = Sequence[Column]


def read_invocation(body: bytes, inputs: Inputs, max_rows: int) -> list[list[Cell]]:
    """The rows of a request in the order of `inputs`. Raises Invalid."""
    form, content = _form(_read_json(body))
    return check_rows(FORMS[form](content, inputs, max_rows), inputs)


def read_table(columns: Sequence[Any], data: Sequence[Sequence[Any]], inputs: Inputs) -> Rows:
    """Puts the columns of `data` into the order of `inputs`; an optional one that is absent is null."""
    refuse_if(_column_problems(columns, inputs))
    refuse_if(
        f"row {number}: expected a list of {len(columns)} values, found {describe(row)}"
        for number, row in enumerate(data)
        if not isinstance(row, list | tuple) or len(row) != len(columns)
    )
    places = {name: place for place, name in enumerate(columns)}
    order = [places.get(column.name) for column in inputs]
    return [[None if place is None else row[place] for place in order] for row in data]


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body.decode(), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise Invalid(400, "expected a JSON object in UTF-8, found something else") from error
    if not isinstance(content, dict):
        raise Invalid(400, f"expected a JSON object, found {describe(content)}")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise Invalid(400, "expected each name once in a JSON object, found one twice")
    return content


def _form(content: dict[str, Any]) -> tuple[str, Any]:
    found = [form for form in FORMS if form in content]
    if len(found) != 1 or len(content) != 1:
        known = ", ".join(found) or "none of them"
        other = len(content) - len(found)
        raise Invalid(422, f"expected exactly one of {', '.join(FORMS)}, found {known} and {other} other fields")
    return found[0], content[found[0]]


def _dataframe_split(content: Any, inputs: Inputs, max_rows: int) -> Rows:
    if not isinstance(content, dict) or not {"columns", "data"} <= content.keys() <= {"columns", "data", "index"}:
        raise Invalid(422, "dataframe_split: expected an object of columns and data")
    data = _rows("dataframe_split.data", content["data"], max_rows)
    return read_table(_list("dataframe_split.columns", content["columns"]), data, inputs)


def _dataframe_records(content: Any, inputs: Inputs, max_rows: int) -> Rows:
    records = _rows("dataframe_records", content, max_rows)
    refuse_if(_record_problems(records, inputs))
    return [[record.get(column.name) for column in inputs] for record in records]


def _inputs(content: Any, inputs: Inputs, max_rows: int) -> Rows:
    if not isinstance(content, dict):
        raise Invalid(422, f"inputs: expected an object of columns, found {describe(content)}")
    refuse_if(_column_problems(tuple(content), inputs))
    columns = [_rows(f"inputs.{name}", content[name], max_rows) for name in content]
    if len({len(column) for column in columns}) != 1:
        raise Invalid(422, "inputs: expected columns of equal length, found different lengths")
    return read_table(tuple(content), list(zip(*columns, strict=True)), inputs)


def _instances(content: Any, inputs: Inputs, max_rows: int) -> Rows:
    rows = _rows("instances", content, max_rows)
    if isinstance(rows[0], dict):
        return _dataframe_records(rows, inputs, max_rows)
    return read_table([column.name for column in inputs], rows, inputs)


FORMS: dict[str, Callable[[Any, Inputs, int], Rows]] = {
    "dataframe_split": _dataframe_split,
    "dataframe_records": _dataframe_records,
    "inputs": _inputs,
    "instances": _instances,
}


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(422, f"{where}: expected a list, found {describe(value)}")
    return value


def _rows(where: str, value: Any, max_rows: int) -> list[Any]:
    rows = _list(where, value)
    if not rows:
        raise Invalid(422, f"{where}: expected at least one row, found none")
    if len(rows) > max_rows:
        raise Invalid(413, f"{where}: expected at most {max_rows} rows, found {len(rows)}: send them in parts")
    return rows


def _column_problems(columns: Sequence[Any], inputs: Inputs) -> Iterator[str]:
    expected = [column.name for column in inputs]
    for column in inputs:
        if column.required and column.name not in columns:
            yield f"column '{column.name}' is missing"
    for place, name in enumerate(columns):
        if name not in expected:
            yield f"the column at position {place} is unknown: expected {', '.join(expected)}"
        elif name in columns[:place]:
            yield f"column '{name}' is given twice"


def _record_problems(records: Sequence[Any], inputs: Inputs) -> Iterator[str]:
    expected = {column.name for column in inputs}
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            yield f"row {number}: expected an object of columns, found {describe(record)}"
        elif record.keys() != expected:
            yield from (f"row {number}: {problem}" for problem in _column_problems(tuple(record), inputs))
