"""Columns of a DataFrame: held against what model.yaml declares, given their types, and written as texts."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import numpy
import pandas

from services.contract.moments import MOMENTS
from training.moment_columns import moment_texts, typed_moments

_NUMBERS = (int, float, Decimal, numpy.integer, numpy.floating)
_TAKEN: dict[str, tuple[type, ...]] = {
    "double": _NUMBERS,
    "long": _NUMBERS,
    "string": (str,),
    "boolean": (bool, numpy.bool_, *_NUMBERS),
    "date": (date, numpy.datetime64, str),
    "datetime": (date, numpy.datetime64, str),
    # Whole numbers are what classes are called in many tables, and 0 and 1 have no other text.
    "name": (str, int, numpy.integer),
    "label": (bool, numpy.bool_, *_NUMBERS),
}
_WORDS = {
    "double": "numbers", "long": "whole numbers", "string": "texts", "boolean": "true or false", "date": "dates",
    "datetime": "datetimes", "name": "texts or whole numbers", "label": "0 or 1",
}  # fmt: skip
# Of pandas' names for what a column holds.
_NUMERIC = ("integer", "floating", "mixed-integer-float", "decimal")
_TRUTH = (bool, numpy.bool_)
_LONGEST = 60
# From here on not every whole number has a float64 of its own.
_EXACT = 2**53


def typed(column: pandas.Series, kind: str, optional: bool) -> pandas.Series:
    """`kind` is a type of model.yaml, or `name` or `label` for a target of classes.

    A missing text is NaN, a missing moment NaT; a `long` or `boolean` that may be missing is a float64 with NaN.
    Raises ValueError, which says what was expected and found, for values of another type and for missing ones.
    """
    values = column if _is_plain(column) else column.astype("object")
    missing = _missing(values)
    if not optional and missing.any():
        raise ValueError(f"expected a value in every row, found {missing.sum()} without")
    _refuse_strangers(values[~missing], kind)
    to = _WITH_GAPS.get(kind, _TYPED[kind]) if optional else _TYPED[kind]
    return to(values.where(~missing) if missing.any() else values)


def _missing(values: pandas.Series) -> pandas.Series:
    if values.dtype != "object":
        return values.isna()
    return values.isna() | numpy.array([isinstance(value, str) and not value for value in values], dtype=bool)


def _is_plain(column: pandas.Series) -> bool:
    """Whether NumPy knows its type, so that its values need not be looked at one by one."""
    return isinstance(column.dtype, numpy.dtype | pandas.DatetimeTZDtype) and column.dtype.kind in "iufbM"


def texts(column: pandas.Series, kind: str, optional: bool) -> pandas.Series:
    """A typed column as canonical CSV has it: a moment as its text, a whole number without a point."""
    if kind in MOMENTS:
        return pandas.Series(moment_texts(column.to_numpy(), kind), index=column.index).where(column.notna(), None)
    if optional and kind == "long":
        return _each(column, lambda value: str(int(value)))
    return _each(column, lambda value: str(bool(value))) if optional and kind == "boolean" else column


def moments_or_numbers(column: pandas.Series) -> Any:
    """What rows are put in order by. Raises ValueError for values that are missing, texts but dates, and a mixture."""
    kind = "double" if pandas.api.types.infer_dtype(column) in _NUMERIC else "datetime"
    return typed(column, kind, optional=False).to_numpy()


def _each(column: pandas.Series, to: Callable[[Any], Any]) -> pandas.Series:
    values = [None if pandas.isna(value) else to(value) for value in column]
    return pandas.Series(values, index=column.index, name=column.name, dtype="object")


def _refuse_strangers(values: pandas.Series, kind: str) -> None:
    """The types that are there are few, so each is looked at once."""
    kinds = {values.dtype.type} if values.dtype != "object" else set(map(type, values))
    if strangers := sorted((one for one in kinds if not _is_taken(one, kind)), key=lambda one: one.__name__):
        found = next(value for value in values if values.dtype != "object" or type(value) is strangers[0])
        raise ValueError(_complaint(found, kind, strangers[0]))


def _is_taken(found: type, kind: str) -> bool:
    truth = issubclass(found, _TRUTH)
    return issubclass(found, _TAKEN[kind]) and (not truth or kind in ("boolean", "label"))


def _complaint(found: Any, kind: str, its_type: type) -> str:
    shown = str(found) if len(str(found)) <= _LONGEST else f"{str(found)[:_LONGEST]}…"
    advice = {
        "string": "write texts, or let `load(files, read)` read CSV with the declared types",
        "name": "write the label as a text",
    }.get(kind, "declare the type that it has, or convert it in data.py")
    return f"expected {_WORDS[kind]}, found {shown} of type {its_type.__name__}: {advice}"


def _double(values: pandas.Series) -> pandas.Series:
    found = values.astype("float64")
    if numpy.isinf(found).any():
        raise ValueError("expected finite numbers, found an infinite one")
    return found


def _long(values: pandas.Series) -> pandas.Series:
    return values if values.dtype == "int64" else _each(values, _whole_number).astype("int64")


def _long_with_gaps(values: pandas.Series) -> pandas.Series:
    whole = _each(values, _whole_number)
    if any(value is not None and abs(value) > _EXACT for value in whole):
        raise ValueError("expected whole numbers up to 2^53 where one may be missing, found a larger one")
    return whole.astype("float64")


def _whole_number(value: Any) -> int:
    number = int(value) if numpy.isfinite(float(value)) else None
    if number is None or number != value:
        raise ValueError(f"expected whole numbers, found {value}")
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"expected whole numbers of 64 bits, found {value}")
    return number


def _boolean(values: pandas.Series) -> pandas.Series:
    return _truth(values).astype("bool")


def _boolean_with_gaps(values: pandas.Series) -> pandas.Series:
    return _truth(values).astype("float64")


def _truth(values: pandas.Series) -> pandas.Series:
    if others := [value for value in values.unique() if not pandas.isna(value) and value not in (0, 1)]:
        raise ValueError(f"expected true or false, found {others[0]}")
    return values


def _string(values: pandas.Series) -> pandas.Series:
    found = values.astype("object")
    try:
        found.dropna().str.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("expected texts of Unicode, found half of a surrogate pair") from error
    # A bare carriage return would end the row for whoever reads the canonical CSV.
    return found.str.replace(r"\r\n?", "\n", regex=True) if _has_return(found) else found


def _has_return(values: pandas.Series) -> bool:
    return bool(values.str.contains("\r", regex=False, na=False).any()) if len(values.dropna()) else False


def _date(values: pandas.Series) -> pandas.Series:
    return typed_moments(values, "date")


def _datetime(values: pandas.Series) -> pandas.Series:
    return typed_moments(values, "datetime")


def _name(values: pandas.Series) -> pandas.Series:
    return _string(values.astype("str"))


def _label(values: pandas.Series) -> pandas.Series:
    if others := [value for value in values.unique() if value not in (0, 1)]:
        raise ValueError(f"expected 0 or 1, found {others[0]}")
    return values.astype("int64")


_TYPED: dict[str, Callable[[pandas.Series], pandas.Series]] = {
    "double": _double,
    "long": _long,
    "string": _string,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "name": _name,
    "label": _label,
}
_WITH_GAPS = {"long": _long_with_gaps, "boolean": _boolean_with_gaps}
