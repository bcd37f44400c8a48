"""Rows as scikit-learn's models take them: with the types that training gave them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from services.contract.cells import columns_of, is_missing, model_type
from services.contract.moments import MOMENTS
from services.contract.release import Column

if TYPE_CHECKING:
    import pandas

# By MLflow's name; a missing text is NaN, as pandas reads it, because that is what scikit-learn's imputers look for.
DTYPES = {"double": "float64", "long": "int64", "string": "object", "boolean": "bool", "datetime": "datetime64[ns]"}


def frame(rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> "pandas.DataFrame":
    """A column an input, by name. Raises ValueError for a cell that its column cannot hold."""
    # Models that were fitted on arrays need none of it.
    import pandas

    cells = zip(inputs, columns_of(rows, inputs), strict=True)
    return pandas.DataFrame({column.name: _series(each, column) for column, each in cells})


def matrix(rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> Any:
    """What an array of that DataFrame holds, of shape (rows, inputs); only moments take a DataFrame to make."""
    if any(column.type in MOMENTS for column in inputs):
        return frame(rows, inputs).to_numpy()
    return numpy.array(rows, dtype=object)


def _series(cells: Sequence[Any], column: Column) -> "pandas.Series":
    import pandas

    held = [None if is_missing(cell) else cell for cell in cells]
    if column.type in MOMENTS:
        # One time zone for all, so that the texts of dates and of datetimes are read by one rule.
        moments = pandas.to_datetime(pandas.Series(held, dtype="object"), utc=True, format="ISO8601")
        return moments.dt.tz_localize(None).astype(DTYPES["datetime"])
    kind = model_type(column)
    missing = numpy.nan if kind in ("string", "double") else None
    return pandas.Series([missing if cell is None else cell for cell in held], dtype=DTYPES[kind])
