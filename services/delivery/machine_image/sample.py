"""The fixed sample that a machine scores to show that it answers as its release does: the golden rows, edges among
them, in two orders, and rows that nobody may answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from services.contract import names
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction, difference, differs_in
from services.contract.release import Column, Golden

FILE = "sample.parquet"
SCORED = "scored"
_TYPES = {"double": pyarrow.float64(), "long": pyarrow.int64(), "boolean": pyarrow.bool_()}


@dataclass(frozen=True)
class Sample:
    """`rows` in the order of `columns`; the expected answers are of all but the last `refused` ones."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    expected: tuple[Prediction, ...]
    refused: int
    tolerance: float


def sample_of(golden: Golden, inputs: Sequence[Column]) -> Sample:
    """A row for each column that must not be missing is refused: there it is."""
    required = {column.name for column in inputs if column.required}
    places = [place for place, name in enumerate(golden.columns) if name in required]
    refused = [_without(golden.rows[-1], place) for place in places]
    return Sample(
        golden.columns,
        (*golden.rows, *reversed(golden.rows), *refused),
        (*golden.predictions, *reversed(golden.predictions)),
        len(refused),
        golden.tolerance,
    )


def _without(row: Sequence[Any], place: int) -> tuple[Any, ...]:
    return (*row[:place], None, *row[place + 1 :])


def write_sample(sample: Sample, inputs: Sequence[Column], folder: Path) -> Path:
    """As Parquet: numbers and booleans as such, everything else as text."""
    kinds = {column.name: _TYPES.get(column.type, pyarrow.string()) for column in inputs}
    columns = [list(column) for column in zip(*sample.rows, strict=True)]
    table = pyarrow.table(
        {name: pyarrow.array(column, kinds[name]) for name, column in zip(sample.columns, columns, strict=True)}
    )
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, folder / FILE)
    return folder / FILE


def read_scored(folder: Path) -> list[Prediction]:
    """Of all parts, in their order."""
    files = sorted((folder / SCORED).glob("*.parquet"))
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    return [_prediction(row) for row in rows]


def _prediction(row: dict[str, Any]) -> Prediction:
    if names.GRAPH_LABEL in row:
        return Labelled(label=row[names.GRAPH_LABEL], probability=row[names.GRAPH_PROBABILITY])
    return float(row[names.GRAPH_PREDICTION])


def compare(sample: Sample, found: Sequence[Prediction]) -> None:
    """Raises Refused, naming the first row whose answer is not the release's."""
    if len(found) != len(sample.expected):
        raise Refused(f"expected {len(sample.expected)} answers of the machine, found {len(found)}")
    for row, (expected, answer) in enumerate(zip(sample.expected, found, strict=True)):
        if difference(expected, answer) > sample.tolerance:
            raise Refused(f"row {row} of the sample: {differs_in(expected, answer)}: it answers unlike its release")
