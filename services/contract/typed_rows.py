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
    return pandas.DataFrame({column.name: _array(each, column) for column, each in cells})


def matrix(rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> Any:
    """What an array of that DataFrame holds, of shape (rows, inputs); only moments take a DataFrame to make."""
    if any(column.type in MOMENTS for column in inputs):
        return frame(rows, inputs).to_numpy()
    return numpy.array(rows, dtype=object)


def _array(cells: Sequence[Any], column: Column) -> numpy.ndarray:
    kind = model_type(column)
    if kind == "datetime":
        # NumPy knows no offset; there is none but that of UTC.
        held = ["NaT" if is_missing(cell) else cell.removesuffix("Z") for cell in cells]
        return numpy.array(held, dtype=DTYPES[kind])
    if kind in ("string", "double"):
        return numpy.array([numpy.nan if is_missing(cell) else cell for cell in cells], dtype=DTYPES[kind])
    return numpy.array(cells, dtype=DTYPES[kind])
