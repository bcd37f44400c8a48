"""What turns a frame of input rows into those with answers and those that are set aside."""

from collections.abc import Mapping
from typing import Protocol

from pyspark.sql import DataFrame


class Scorer(Protocol):
    """Both frames are computed from the input alone, so a task that is tried again gives the same rows."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Of what answers."""

    def scored(self, rows: DataFrame) -> DataFrame:
        """The kept columns, the answer, and model, revision and release."""

    def rejected(self, rows: DataFrame) -> DataFrame:
        """All columns of the input, and the reason."""
