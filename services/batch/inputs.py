"""The input of a batch: its files, their format, digests, schema and rows, all known before any work."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, get_args

from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql.types import StringType, StructType

from services.batch.failures import FAILED, plain, task_reason
from services.batch.files import Files, Found
from services.batch.parts import Part
from services.batch.worker import LINE, SPOILT
from services.contract.batch_job import BatchJob, Format
from services.contract.errors import Refused
from services.contract.receipt import InputFile

_KNOWN: tuple[str, ...] = get_args(Format)
_COMPRESSED = frozenset({".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate"})
_SUFFIXES = {"ndjson": "jsonl"}
# An executor holds such a file as a whole while it takes the digest; larger ones pass through the driver's JVM.
_HELD = 64 << 20
_AT_ONCE = 8
# What is read are names of files, whatever characters they have.
PATH = "_trackback_path"
_PATH = f"_metadata.file_path AS {PATH}"
NAMES = {"__globPaths__": "false"}
_CSV = {
    "header": "true",
    "enforceSchema": "false",
    "escape": '"',
    "multiLine": "true",
    "columnNameOfCorruptRecord": SPOILT,
}


@dataclass(frozen=True)
class Input:
    """`files` in the order of their paths; every frame of some of them has the `schema`. Folders below `base` that are
    named `column=value` are columns."""

    session: SparkSession
    format: Format
    files: tuple[InputFile, ...]
    schema: StructType
    base: str | None = None

    @property
    def rows(self) -> int:
        return sum(file.rows or 0 for file in self.files)

    def frame(self, paths: Sequence[str]) -> DataFrame:
        return _rows(self.session, self.format, paths, self.schema, self.base).drop(PATH)

    def part(self, part: Part) -> DataFrame:
        if part.first is None:
            return self.frame(part.files)
        number = sql.col("_metadata.row_index")
        chosen = number.between(part.first, part.first + part.rows - 1)
        return _parquet(self.session, self.base).schema(self.schema).parquet(*part.files).filter(chosen)

    @property
    def first(self) -> DataFrame:
        """One row."""
        return self.frame([next(file.path for file in self.files if file.rows)]).limit(1)


def read_input(session: SparkSession, files: Files, job: BatchJob) -> Input:
    """Raises Refused, in one line, for what is no input: nothing there, no known format, a file that is damaged."""
    found = files.data(job.input)
    if not found:
        raise Refused(f"{job.input}: expected files to score, found a folder without any")
    kind = job.format or _format(job.input, found)
    paths = [one.path for one in found if one.bytes]
    if not paths:
        raise Refused(f"{job.input}: expected rows to score, found none in {len(found)} files")
    base = job.input if kind == "parquet" and _partitioned(paths) and files.is_folder(job.input) else None
    try:
        schema = _schema(session, kind, paths, base)
        if kind == "json":
            _check_json(session, paths)
        rows = rows_by_file(_rows(session, kind, paths, schema, base))
        taken = digests(session, files, found)
    except FAILED as error:
        raise Refused(f"{job.input}: expected {kind} files that can be read, found: {task_reason(error)}") from error
    listed = tuple(
        InputFile(path=one.path, bytes=one.bytes, sha256=taken[one.path], rows=rows.get(one.path, 0)) for one in found
    )
    if not any(rows.values()):
        raise Refused(f"{job.input}: expected rows to score, found none in {len(found)} files")
    return Input(session, kind, listed, schema, base)


def _format(where: str, found: Sequence[Found]) -> Format:
    """By the names of the files, behind which a compression may stand."""
    kinds = {_suffix(one.path) for one in found}
    for kind in get_args(Format):
        if kinds == {kind}:
            return kind  # type: ignore[no-any-return]
    shown = ", ".join(sorted(f"'{kind}'" for kind in kinds))
    raise Refused(f"{where}: expected files of one format ({', '.join(_KNOWN)}), found {shown}: name it with --format")


def _partitioned(paths: Sequence[str]) -> bool:
    return any("=" in folder for path in paths for folder in path.split("/")[:-1])


def _suffix(path: str) -> str:
    suffixes = [suffix for suffix in PurePosixPath(path).suffixes if suffix not in _COMPRESSED]
    last = suffixes[-1].removeprefix(".").lower() if suffixes else ""
    return _SUFFIXES.get(last, last)


def _schema(session: SparkSession, kind: Format, paths: Sequence[str], base: str | None) -> StructType:
    """Of all files of Parquet together; of text files the columns of the first one, each of them a text."""
    if kind == "parquet":
        return _parquet(session, base).option("mergeSchema", "true").parquet(*paths).schema
    if kind == "csv":
        return session.read.options(**_CSV, **NAMES).csv(paths[0]).schema.add(SPOILT, StringType())
    return StructType().add(LINE, StringType())


def _rows(session: SparkSession, kind: Format, paths: Sequence[str], schema: StructType, base: str | None) -> DataFrame:
    """With the path of its file beside each row."""
    reader = session.read.options(**NAMES)
    if kind == "parquet":
        return with_paths(_parquet(session, base).schema(schema).parquet(*paths))
    if kind == "csv":
        return reader.options(**_CSV).schema(schema).csv(list(paths)).selectExpr("*", _PATH)
    lines = reader.text(list(paths), wholetext=kind == "json").selectExpr(LINE, _PATH)
    if kind == "json":
        lines = lines.select(sql.explode(_records(sql.col(LINE))).alias(LINE), PATH)
    return lines.filter(sql.trim(LINE) != "")


def _parquet(session: SparkSession, base: str | None) -> DataFrameReader:
    return session.read.options(**NAMES, **({"basePath": base} if base else {}))


def _check_json(session: SparkSession, paths: Sequence[str]) -> None:
    whole = session.read.options(**NAMES).text(list(paths), wholetext=True).selectExpr(LINE, _PATH)
    if damaged := whole.filter(_records(sql.col(LINE)).isNull()).select(PATH).head():
        raise Refused(f"{plain(damaged[0])}: expected a JSON list of objects, found something else")


def _records(text: Column) -> Column:
    """Each as the JSON that it is."""
    return sql.from_json(text, "array<string>")


def rows_by_file(rows: DataFrame) -> dict[str, int]:
    """Of rows with paths beside them. Files without a row are not among them."""
    return {plain(one[PATH]): one["count"] for one in rows.groupBy(PATH).count().collect()}


def with_paths(frame: DataFrame) -> DataFrame:
    """Of what was just read."""
    return frame.selectExpr("*", _PATH)


def digests(session: SparkSession, files: Files, found: Sequence[Found]) -> dict[str, str]:
    # Spark reads no file that is empty.
    taken = {one.path: hashlib.sha256().hexdigest() for one in found if not one.bytes}
    small = [one.path for one in found if 0 < one.bytes <= _HELD]
    large = [one.path for one in found if one.bytes > _HELD]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="digest") as pool:
        taken |= zip(large, pool.map(files.sha256, large), strict=True)
    return taken | (_small_digests(session, small) if small else {})


def _small_digests(session: SparkSession, paths: Sequence[str]) -> dict[str, str]:
    content = session.read.format("binaryFile").options(**NAMES).load(list(paths))
    taken: list[Any] = content.select("path", sql.sha2("content", 256).alias("sha256")).collect()
    return {plain(one["path"]): one["sha256"] for one in taken}
