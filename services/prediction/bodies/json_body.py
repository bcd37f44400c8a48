"""Rows in JSON, in each of the forms of MLflow's scoring protocol."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.prediction.bodies import Table
from services.prediction.invalid import Invalid, describe, refuse_if
from services.prediction.table import Inputs, Rows, column_problems, count_rows, read_table
from services.prediction.turns import SMALL_BYTES


def read(body: bytes, inputs: Inputs, max_rows: int) -> Table:
    content = read_json(body)
    form = _form(content)
    return Table(FORMS[form](form, content[form], inputs, max_rows), content.get("params"))


def read_json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body.decode(), object_pairs_hook=_object, **_hooks(body))
    except (ValueError, RecursionError) as error:
        raise Invalid(400, "expected a JSON object in UTF-8, found something else") from error
    if not isinstance(content, dict):
        raise Invalid(400, f"expected a JSON object, found {describe(content)}")
    return content


def _hooks(body: bytes) -> dict[str, Any]:
    """Python's parser gives no other thread a turn until it calls something in Python, as these are."""
    return {"parse_float": _float, "parse_int": _int} if len(body) > SMALL_BYTES else {}


def _float(text: str) -> float:
    return float(text)


def _int(text: str) -> int:
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise Invalid(400, "expected each name once in a JSON object, found one twice")
    return content


def _form(content: dict[str, Any]) -> str:
    found = [form for form in FORMS if form in content]
    if len(found) != 1:
        raise Invalid(422, f"expected exactly one of {', '.join(FORMS)}, found {', '.join(found) or 'none of them'}")
    return found[0]


def _split(where: str, content: Any, inputs: Inputs, max_rows: int) -> Rows:
    if not isinstance(content, dict) or not {"columns", "data"} <= content.keys() <= {"columns", "data", "index"}:
        raise Invalid(422, f"{where}: expected an object of columns and data")
    columns = _list(f"{where}.columns", content["columns"])
    return read_table(columns, _wrapped(_rows(f"{where}.data", content["data"], max_rows), len(columns)), inputs)


def _records(where: str, content: Any, inputs: Inputs, max_rows: int) -> Rows:
    records = _rows(where, content, max_rows)
    refuse_if(_record_problems(records, inputs))
    return [[record.get(column.name) for column in inputs] for record in records]


def _any(where: str, content: Any, inputs: Inputs, max_rows: int) -> Rows:
    """An object of columns, or a list: of records, of rows, or of values for a model of one column."""
    if isinstance(content, dict):
        return _columns(where, content, inputs, max_rows)
    rows = _rows(where, content, max_rows)
    if isinstance(rows[0], dict):
        return _records(where, rows, inputs, max_rows)
    return read_table([column.name for column in inputs], _wrapped(rows, len(inputs)), inputs)


def _columns(where: str, content: dict[str, Any], inputs: Inputs, max_rows: int) -> Rows:
    """Each a list, or the value of the only row."""
    refuse_if(column_problems(tuple(content), inputs))
    columns = {
        column.name: _column(f"{where}.{column.name}", content[column.name], max_rows)
        for column in inputs
        if column.name in content
    }
    if len({len(values) for values in columns.values()}) != 1:
        raise Invalid(422, f"{where}: expected columns of equal length, found different lengths")
    return read_table(tuple(columns), list(zip(*columns.values(), strict=True)), inputs)


def _column(where: str, values: Any, max_rows: int) -> list[Any]:
    return _rows(where, values, max_rows) if isinstance(values, list) else [values]


def _wrapped(values: list[Any], width: int) -> list[Any]:
    """Of one column, a value by itself is a row."""
    return [value if isinstance(value, list) else [value] for value in values] if width == 1 else values


FORMS: dict[str, Callable[[str, Any, Inputs, int], Rows]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "inputs": _any,
    "instances": _any,
}


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(422, f"{where}: expected a list, found {describe(value)}")
    return value


def _rows(where: str, value: Any, max_rows: int) -> list[Any]:
    rows = _list(where, value)
    count_rows(where, len(rows), max_rows)
    return rows


def _record_problems(records: Sequence[Any], inputs: Inputs) -> Iterator[str]:
    required = {column.name for column in inputs if column.required}
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            yield f"row {number}: expected an object of columns, found {describe(record)}"
        elif not required <= record.keys():
            yield from (f"row {number}: {problem}" for problem in column_problems(tuple(record), inputs))
