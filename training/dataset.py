"""Splits rows into training set and hold-out, each with a SHA-256 that is the same on every machine."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas

from services.contract.candidate import DataDigest, DataSchema
from services.contract.errors import Refused
from services.contract.model_config import Data
from services.contract.task import TARGETS, Task
from training.cells import convert
from training.csv_table import Table, read_table

_PANDAS_TYPES = {"double": "float64", "long": "int64", "string": "str", "boolean": "bool"}


@dataclass(frozen=True)
class Part:
    """Inputs and target of one side of the split, and its canonical CSV bytes with their digest.

    Canonical is UTF-8, `\\n` for every line break, the shortest floats that read back the same, nothing for NaN.
    """

    inputs: pandas.DataFrame
    target: pandas.Series
    csv: bytes
    digest: DataDigest


@dataclass(frozen=True)
class Dataset:
    training: Part
    holdout: Part


def schema(data: Data, task: Task) -> DataSchema:
    return DataSchema(
        columns=dict(data.columns),
        optional=data.optional,
        target=data.target,
        target_type=TARGETS[task],
        split_by=data.split_by,
        holdout_percent=data.holdout_percent,
    )


def read_csv(path: Path, data: Data, task: Task) -> pandas.DataFrame:
    """The declared columns of a CSV file, and `split_by` where it has one.

    Raises Refused, naming the column that is missing or the line that is wrong.
    """
    table = read_table(path, [*data.columns, data.target], data.split_by)
    return pandas.DataFrame({name: _converted(table, name, _kind(name, data, task)) for name in table.columns})


def _kind(name: str, data: Data, task: Task) -> str:
    if name == data.target:
        return "label" if task == "binary-classification" else TARGETS[task]
    return "optional double" if name in data.optional else data.columns.get(name, "string")


def _converted(table: Table, name: str, kind: str) -> list[Any]:
    values = []
    for line, text in zip(table.lines, table.columns[name], strict=True):
        try:
            values.append(convert(text, kind))
        except ValueError as error:
            raise Refused(f"{table.path}:{line}: column '{name}': {error}") from None
    return values


def split(frame: pandas.DataFrame, data: Data, task: Task, source: str) -> Dataset:
    """Splits by a hash, the same on every machine: of `split_by` where the frame has it, else of the whole row.

    Raises Refused when a column is not what model.yaml declares or when a side lacks rows or labels.
    """
    rows = _declared(frame.reset_index(drop=True), data, task, source)
    keys = frame[[data.split_by]] if data.split_by in frame.columns else rows
    held = numpy.array([_bucket(key) < data.holdout_percent for key in keys.itertuples(index=False, name=None)])
    if held.all() or not held.any():
        raise Refused(f"{source}: expected enough rows for a training set and a hold-out, found {len(rows)}")
    sides = {"training set": rows[~held], "hold-out": rows[held]}
    if task != "regression":
        _refuse_single_label(sides, data.target, source)
    training, holdout = (_part(side, data, source) for side in sides.values())
    return Dataset(training, holdout)


def _bucket(key: tuple[object, ...]) -> int:
    text = "\0".join(str(value) for value in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 100


def _declared(frame: pandas.DataFrame, data: Data, task: Task, source: str) -> pandas.DataFrame:
    types: dict[str, str] = {**data.columns, data.target: TARGETS[task]}
    if missing := [name for name in types if name not in frame.columns]:
        raise Refused(f"{source}: expected columns {', '.join(types)}; missing: {', '.join(missing)}")
    rows = pandas.DataFrame(
        {name: _typed(frame[name], kind, name in data.optional, source) for name, kind in types.items()}
    )
    if task == "binary-classification" and not rows[data.target].isin([0, 1]).all():
        raise Refused(f"{source}: column '{data.target}': expected 0 or 1, found other numbers")
    return rows


def _typed(column: pandas.Series, kind: str, optional: bool, source: str) -> pandas.Series:
    where = f"{source}: column '{column.name}'"
    if not optional and (without := int((column.isna() | (column == "")).sum())):
        raise Refused(f"{where}: expected a value in every row, found {without} without")
    try:
        typed = column.astype(_PANDAS_TYPES[kind])
    except (ValueError, TypeError) as error:
        raise Refused(f"{where}: expected values of type {kind}, found others: {error}") from error
    if kind in ("long", "boolean") and (typed != column).any():
        raise Refused(f"{where}: expected values of type {kind}, found others")
    if kind == "double" and numpy.isinf(typed).any():
        raise Refused(f"{where}: expected finite numbers, found an infinite one")
    # A bare carriage return would end the row for whoever reads the canonical CSV.
    return typed.str.replace(r"\r\n?", "\n", regex=True) if kind == "string" and _has_return(typed) else typed


def _has_return(texts: pandas.Series) -> bool:
    return bool(texts.str.contains("\r", regex=False).any())


def _refuse_single_label(sides: dict[str, pandas.DataFrame], target: str, source: str) -> None:
    for side, rows in sides.items():
        if rows[target].nunique() < 2:
            raise Refused(
                f"{source}: expected at least two labels in the {side}, found only '{rows[target].iloc[0]}' in its "
                f"{len(rows)} rows"
            )


def _part(rows: pandas.DataFrame, data: Data, source: str) -> Part:
    content = rows.to_csv(index=False, lineterminator="\n").encode()
    digest = DataDigest(sha256=hashlib.sha256(content).hexdigest(), rows=len(rows), source=source)
    return Part(inputs=rows[list(data.columns)], target=rows[data.target], csv=content, digest=digest)
