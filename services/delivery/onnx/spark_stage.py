"""A stage of a saved Spark pipeline, as its files on disk tell it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
