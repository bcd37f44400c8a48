"""The receipt of a batch: which release scored which files, and what came of every row."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from services.contract.distribution import Distribution
from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.release import ImageDigest

# Reasons beyond these are counted together: a library's own words may name what it found.
MOST_REASONS = 100
OTHER_REASONS = "other reasons"


class InputFile(Record):
    """`rows` is None where they were not counted file by file."""

    path: str
    bytes: int
    sha256: Sha256
    rows: int | None = None


class OutputFile(Record):
    """`path` is relative to the receipt."""

    path: str
    bytes: int
    sha256: Sha256
    rows: int


class Receipt(Record):
    """`rejected` counts rows by the reason why the online service would refuse them. `shift` is the population
    stability index of the answers against those that `compared_with` names, None without any. `image` is the
    container's or the machine image's container, None where a release needs none."""

    model: ModelName
    revision: Revision
    release: Sha256
    run_id: RunId
    engine: Literal["spark", "container"]
    image: ImageDigest | None = None
    inputs: tuple[InputFile, ...] = Field(min_length=1)
    rows_in: int
    rows_scored: int
    rows_rejected: int
    rejected: dict[str, int]
    outputs: tuple[OutputFile, ...]
    distribution: Distribution
    shift: float | None
    compared_with: str
    seconds: float
    rows_per_second: float
    versions: dict[str, str]
    at: datetime

    @model_validator(mode="after")
    def _every_row_is_there(self) -> Self:
        """No row is lost between the input, the output and the reasons."""
        if self.rows_in != self.rows_scored + self.rows_rejected:
            found = f"{self.rows_scored} scored and {self.rows_rejected} rejected of {self.rows_in}"
            raise ValueError(f"expected every row to be scored or rejected, found {found}")
        if (told := sum(self.rejected.values())) != self.rows_rejected:
            raise ValueError(f"expected a reason for each of {self.rows_rejected} rejected rows, found {told}")
        rows = [one.rows for one in self.inputs if one.rows is not None]
        if len(rows) == len(self.inputs) and sum(rows) != self.rows_in:
            raise ValueError(f"expected the files' rows to be {self.rows_in}, found {sum(rows)}")
        return self


def count_reason(counts: dict[str, int], reason: str, rows: int = 1) -> None:
    """Adds to the counts by reason, which stay few."""
    kept = reason if reason in counts or len(counts) < MOST_REASONS else OTHER_REASONS
    counts[kept] = counts.get(kept, 0) + rows
