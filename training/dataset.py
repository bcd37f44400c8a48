"""Rows become a training set and a hold-out, each with a digest that any machine can compute again."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas

from services.contract.candidate import DataDigest
from services.contract.errors import Refused
from services.contract.model_config import Data

_PANDAS_TYPES = {"double": "float64", "long": "int64", "string": "str", "boolean": "bool"}


@dataclass(frozen=True)
class Part:
    """Inputs and target of one side of the split, and its canonical CSV bytes (UTF-8, `\\n`, shortest floats)."""

    inputs: pandas.DataFrame
    target: pandas.Series
    csv: bytes
    digest: DataDigest


@dataclass(frozen=True)
class Dataset:
    training: Part
    holdout: Part


def read_csv(path: Path, data: Data) -> pandas.DataFrame:
    """The declared columns of a CSV file. Raises Refused, naming the column or row that is wrong."""
    try:
        frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: expected a CSV file with a header, cannot read it: {error}") from error
    expected = [*data.columns, data.target]
    if missing := [column for column in expected if column not in frame.columns]:
        raise Refused(f"{path}: expected columns {', '.join(expected)}; missing: {', '.join(missing)}")
    for column, kind in [*data.columns.items(), (data.target, "double")]:
        frame[column] = _converted(path, frame[column], kind)
    return frame


def _converted(path: Path, column: pandas.Series, kind: str) -> pandas.Series:
    if kind in ("double", "long"):
        numbers = pandas.to_numeric(column, errors="coerce")
        if numbers.isna().any():
            row = int(numbers.isna().to_numpy().argmax())
            raise Refused(f"{path}:{row + 2}: column '{column.name}': expected a number, found {column[row]!r}")
        return numbers
    return column == "true" if kind == "boolean" else column


def split(frame: pandas.DataFrame, data: Data, source: str) -> Dataset:
    """Splits by a hash of each row's bytes: the same on every machine, and equal rows fall on one side.

    Raises Refused when either side would be empty.
    """
    rows = _declared(frame, data)
    held = pandas.Series([_bucket(row) < data.holdout_percent for row in rows.itertuples(index=False, name=None)])
    if held.all() or not held.any():
        raise Refused(f"{source}: expected enough rows for a training set and a hold-out, found {len(rows)}")
    return Dataset(_part(rows[~held], data, source), _part(rows[held], data, source))


def _declared(frame: pandas.DataFrame, data: Data) -> pandas.DataFrame:
    types = {column: _PANDAS_TYPES[kind] for column, kind in data.columns.items()}
    return frame[[*types, data.target]].astype({**types, data.target: "float64"}).reset_index(drop=True)


def _bucket(row: tuple[object, ...]) -> int:
    text = "\0".join(str(value) for value in row)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 100


def _part(rows: pandas.DataFrame, data: Data, source: str) -> Part:
    csv = rows.to_csv(index=False, lineterminator="\n").encode()
    digest = DataDigest(sha256=hashlib.sha256(csv).hexdigest(), rows=len(rows), source=source)
    return Part(inputs=rows[list(data.columns)], target=rows[data.target], csv=csv, digest=digest)
