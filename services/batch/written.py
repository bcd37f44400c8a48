"""Files of rows as a batch writes them, in the format of its input; JSON becomes a record a line."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from services.batch.inputs import NAMES, rows_by_file, with_paths
from services.contract.batch_job import Format

_CSV = {"header": "true", "escape": '"'}


def write(rows: DataFrame, kind: Format, folder: str) -> None:
    if kind == "parquet":
        rows.write.parquet(folder)
    elif kind == "csv":
        rows.write.options(**_CSV).csv(folder)
    else:
        rows.write.json(folder)


def read(session: SparkSession, kind: Format, *paths: str) -> DataFrame:
    """Columns of text files are texts, unless they are lines of JSON."""
    if kind == "parquet":
        return session.read.options(**NAMES).parquet(*paths)
    if kind == "csv":
        return session.read.options(**_CSV, **NAMES, multiLine="true").csv(list(paths))
    return session.read.options(**NAMES).json(list(paths))


def count(session: SparkSession, kind: Format, folder: str) -> int:
    """Of the rows that are there."""
    return _lines(session, kind, [folder]).count()


def rows_of(session: SparkSession, kind: Format, paths: Sequence[str]) -> dict[str, int]:
    """By file."""
    return dict.fromkeys(paths, 0) | rows_by_file(with_paths(_lines(session, kind, paths)))


def _lines(session: SparkSession, kind: Format, paths: Sequence[str]) -> DataFrame:
    """JSON need not be read to be counted."""
    if kind in ("json", "jsonl"):
        return session.read.options(**NAMES).text(list(paths))
    return read(session, kind, *paths)
