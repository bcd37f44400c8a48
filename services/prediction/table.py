"""A table of values as JSON has them, whatever it was written in: its columns in the order of the model's inputs."""

from collections.abc import Iterator, Sequence
from typing import Any

from services.contract.release import Column
from services.prediction.invalid import Invalid, describe, refuse_if

Rows = list[list[Any]]
Inputs = Sequence[Column]


def read_table(columns: Sequence[Any], data: Sequence[Sequence[Any]], inputs: Inputs) -> Rows:
    """Puts the columns of `data` into the order of `inputs`; an optional one that is absent is null."""
    refuse_if(column_problems(columns, inputs))
    refuse_if(
        f"row {number}: expected a list of {len(columns)} values, found {describe(row)}"
        for number, row in enumerate(data)
        if not isinstance(row, list | tuple) or len(row) != len(columns)
    )
    places = {name: place for place, name in enumerate(columns) if isinstance(name, str)}
    order = [places.get(column.name) for column in inputs]
    return [[None if place is None else row[place] for place in order] for row in data]


def column_problems(columns: Sequence[Any], inputs: Inputs) -> Iterator[str]:
    """Other columns than the inputs are ignored, as MLflow ignores them."""
    for column in inputs:
        if (times := columns.count(column.name)) > 1:
            yield f"column '{column.name}' is given twice"
        elif column.required and not times:
            yield f"column '{column.name}' is missing"


def count_rows(where: str, rows: int, max_rows: int) -> None:
    """Raises Invalid for none, and for more than one request may have."""
    if not rows:
        raise Invalid(422, f"{where}: expected at least one row, found none")
    if rows > max_rows:
        raise Invalid(413, f"{where}: expected at most {max_rows} rows, found {rows}: send them in parts")
