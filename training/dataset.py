"""Splits rows into training set and hold-out, each with a SHA-256 that is the same on every machine."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas

from services.contract.candidate import DataDigest, DataSchema
from services.contract.csv_cells import convert
from services.contract.csv_table import Table, read_table
from services.contract.errors import Refused
from services.contract.model_config import Data
from services.contract.moments import MOMENTS
from services.contract.task import TARGETS, Task
from training.columns import moments_or_numbers, texts, typed

_TARGET_KINDS: dict[Task, str] = {"regression": "double", "classification": "name", "binary-classification": "label"}


@dataclass(frozen=True)
class Part:
    """Inputs and target of one side of the split, and its canonical CSV bytes with their digest.

    Canonical is UTF-8, `\\n` for every line break, the shortest floats that read back the same, ISO 8601 in UTC for a
    moment, nothing for what is missing.
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
        split_by_time=data.split_by_time,
        holdout_percent=data.holdout_percent,
    )


def read_csv(path: Path, data: Data, task: Task) -> pandas.DataFrame:
    """The declared columns of a CSV file, and `split_by` where it has one.

    Raises Refused, naming the column that is missing or the line that is wrong.
    """
    table = read_table(path, _needed(data), data.split_by)
    return pandas.DataFrame({name: _converted(table, name, data, task) for name in table.columns})


def _needed(data: Data) -> list[str]:
    return list(dict.fromkeys([*data.columns, data.target, *([data.split_by_time] if data.split_by_time else [])]))


def _kind(name: str, data: Data, task: Task) -> str:
    if name == data.target:
        return "label" if task == "binary-classification" else TARGETS[task]
    return data.columns.get(name, "string")


def _converted(table: Table, name: str, data: Data, task: Task) -> pandas.Series:
    kind, optional = _kind(name, data, task), name in data.optional
    values: list[Any] = []
    for line, text in zip(table.lines, table.columns[name], strict=True):
        try:
            values.append(convert(text, kind, optional))
        except ValueError as error:
            raise Refused(f"{table.path}:{line}: column '{name}': {error}") from None
    # Else pandas would make floats of whole numbers beside which one is missing.
    return pandas.Series(values, dtype="object" if optional and kind != "double" else None)


def split(frame: pandas.DataFrame, data: Data, task: Task, source: str) -> Dataset:
    """Holds out the last rows by `split_by_time`, or splits by a hash, the same on every machine: of `split_by` where
    the frame has it, else of the whole row.

    Raises Refused when a column is not what model.yaml declares or when a side lacks rows or labels.
    """
    _refuse_other_tables(frame, data, source)
    frame = frame.reset_index(drop=True)
    rows = _declared(frame, data, task, source)
    canonical = _canonical(rows, data)
    held = _last(frame, data, source) if data.split_by_time else _chosen(frame, canonical, data)
    if held.all() or not held.any():
        raise Refused(f"{source}: expected enough rows for a training set and a hold-out, found {len(rows)}")
    sides = {"training set": ~held, "hold-out": held}
    if task != "regression":
        _refuse_single_label({side: rows[which] for side, which in sides.items()}, data.target, source)
    training, holdout = (_part(rows[which], canonical[which], data, source) for which in sides.values())
    return Dataset(training, holdout)


def as_given(training: pandas.DataFrame, holdout: pandas.DataFrame, data: Data, task: Task, source: str) -> Dataset:
    """Both sides as a person has split them. Raises Refused as `split` does."""
    given = {"training set": training, "hold-out": holdout}
    for side in given.values():
        _refuse_other_tables(side, data, source)
    sides = {name: _declared(side.reset_index(drop=True), data, task, source) for name, side in given.items()}
    if empty := [name for name, side in sides.items() if not len(side)]:
        raise Refused(f"{source}: expected rows in training set and hold-out, found none in the {empty[0]}")
    if task != "regression":
        _refuse_single_label(sides, data.target, source)
    return Dataset(*(_part(side, _canonical(side, data), data, source) for side in sides.values()))


def _canonical(rows: pandas.DataFrame, data: Data) -> pandas.DataFrame:
    """The rows as they are written."""
    written = {name: texts(rows[name], kind, name in data.optional) for name, kind in data.columns.items()}
    return rows.assign(**written)


def _chosen(frame: pandas.DataFrame, canonical: pandas.DataFrame, data: Data) -> Any:
    """The rows that a hash holds out."""
    keys = frame[[data.split_by]] if data.split_by in frame.columns else canonical
    if data.columns.get(data.split_by or "") in MOMENTS:
        keys = canonical[[data.split_by]]
    return numpy.array([_bucket(key) < data.holdout_percent for key in keys.itertuples(index=False, name=None)])


def _refuse_other_tables(frame: pandas.DataFrame, data: Data, source: str) -> None:
    """For what is no DataFrame, for a column that is there twice, and for a row with several targets in it."""
    if not isinstance(frame, pandas.DataFrame):
        raise Refused(f"{source}: expected a DataFrame with columns and target, found {type(frame).__name__}")
    names = list(frame.columns)
    if names.count(data.target) > 1:
        raise Refused(
            f"{source}: expected one column '{data.target}', found {names.count(data.target)}: train a model for each "
            "target"
        )
    if twice := [name for name in (*_needed(data), data.split_by) if names.count(name) > 1]:
        raise Refused(f"{source}: expected each column once, found '{twice[0]}' {names.count(twice[0])} times")
    # A column of numbers or of texts holds no lists, and may be long.
    values = frame[data.target] if data.target in names and frame[data.target].dtype == object else ()
    for row, value in enumerate(values):
        if isinstance(value, list | tuple | set | dict | numpy.ndarray):
            raise Refused(
                f"{source}: column '{data.target}': expected one value a row, found {len(value)} in row {row} (from "
                "0): give each its own row, or train a model for each"
            )


def _bucket(key: tuple[object, ...]) -> int:
    text = "\0".join(str(value) for value in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 100


def _last(frame: pandas.DataFrame, data: Data, source: str) -> Any:
    """The last `holdout_percent` of the rows by time; those that are as old as the oldest of them belong to them."""
    name = str(data.split_by_time)
    if name not in frame.columns:
        raise Refused(f"{source}: expected the column '{name}' that data.split_by_time names, found none")
    try:
        times = moments_or_numbers(frame[name])
    except ValueError as error:
        raise Refused(f"{source}: column '{name}', by which the rows are split: {error}") from None
    first = numpy.sort(times)[-max(1, round(len(times) * data.holdout_percent / 100))] if len(times) else 0
    return times >= first


def _declared(frame: pandas.DataFrame, data: Data, task: Task, source: str) -> pandas.DataFrame:
    types: dict[str, str] = {**data.columns, data.target: _TARGET_KINDS[task]}
    if missing := [name for name in types if name not in frame.columns]:
        raise Refused(f"{source}: expected columns {', '.join(types)}; missing: {', '.join(missing)}")
    return pandas.DataFrame(
        {name: _typed(frame[name], kind, name in data.optional, source) for name, kind in types.items()}
    )


def _typed(column: pandas.Series, kind: str, optional: bool, source: str) -> pandas.Series:
    try:
        return typed(column, kind, optional)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{source}: column '{column.name}': {error}") from error


def _refuse_single_label(sides: dict[str, pandas.DataFrame], target: str, source: str) -> None:
    for side, rows in sides.items():
        if rows[target].nunique() < 2:
            raise Refused(
                f"{source}: expected at least two labels in the {side}, found only '{rows[target].iloc[0]}' in its "
                f"{len(rows)} rows"
            )


def _part(rows: pandas.DataFrame, canonical: pandas.DataFrame, data: Data, source: str) -> Part:
    content = canonical.to_csv(index=False, lineterminator="\n").encode()
    digest = DataDigest(sha256=hashlib.sha256(content).hexdigest(), rows=len(rows), source=source)
    return Part(inputs=rows[list(data.columns)], target=rows[data.target], csv=content, digest=digest)
