"""A stage of a saved Spark pipeline, as its files on disk tell it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from pyarrow.parquet import ParquetFile


@dataclass(frozen=True)
class Stage:
    """`kind` is its class without `org.apache.spark.ml.`, `parameters` are its own over Spark's defaults."""

    folder: Path
    kind: str
    parameters: dict[str, Any]

    def columns(self, side: str) -> list[str]:
        """`side` is `input` or `output`; a stage names one column or a list of them."""
        return list(self.parameters.get(f"{side}Cols") or [self.parameters[f"{side}Col"]])

    def rows(self, part: str = "data") -> list[dict[str, Any]]:
        """What was fitted, from the Parquet files of this part. Raises OSError or pyarrow's errors for damaged ones."""
        files = sorted((self.folder / part).glob("part-*.parquet"))
        return [row for file in files for row in ParquetFile(file).read().to_pylist()]

    def fitted(self) -> dict[str, Any]:
        """Of a stage that saves one row. Raises ValueError for more or fewer."""
        (row,) = self.rows()
        return row


def vector(saved: dict[str, Any]) -> numpy.ndarray:
    """Of shape (size,), from Spark's dense or sparse vector."""
    if saved["type"] == 1:
        return numpy.array(saved["values"], dtype=float)
    found = numpy.zeros(saved["size"])
    found[saved["indices"]] = saved["values"]
    return found


def matrix(saved: dict[str, Any]) -> numpy.ndarray:
    """Of shape (numRows, numCols), from Spark's matrix: dense or sparse, by columns or, transposed, by rows."""
    shape = saved["numRows"], saved["numCols"]
    lines, width = shape if saved["isTransposed"] else shape[::-1]
    if saved["type"] == 1:
        found = numpy.array(saved["values"], dtype=float).reshape(lines, width)
    else:
        found = numpy.zeros((lines, width))
        found[numpy.repeat(numpy.arange(lines), numpy.diff(saved["colPtrs"])), saved["rowIndices"]] = saved["values"]
    return found if saved["isTransposed"] else found.T
