"""Columns of dates and datetimes: many at once where pandas knows them, else one by one with a reason for each."""

from typing import Any

import numpy
import pandas

from services.contract.moments import YEARS, day_or_moment, moment_text, text_of
from services.contract.typed_rows import DTYPES

_LONGEST_SHOWN = 60


def typed_moments(values: pandas.Series, kind: str) -> pandas.Series:
    """In UTC, as datetime64[ns]. Raises ValueError, with the value, for what is no `kind`."""
    if values.dtype.kind == "M" and values.dropna().dt.year.isin(YEARS).all() and _whole(values, kind):
        return _in_utc(values)
    found = [None if pandas.isna(value) else _moment(value, kind) for value in values]
    return _in_utc(pandas.Series(pandas.to_datetime(found, utc=True, format="ISO8601"), values.index, name=values.name))


def _in_utc(values: pandas.Series) -> pandas.Series:
    return (values if values.dt.tz is None else values.dt.tz_convert(None)).astype(DTYPES["datetime"])


def _whole(moments: pandas.Series, kind: str) -> bool:
    """Whether days have no time, and times no nanoseconds."""
    told = _in_utc(moments.dropna())
    return bool((told.dt.floor("D" if kind == "date" else "us") == told).all())


def _moment(value: Any, kind: str) -> str:
    if isinstance(value, numpy.datetime64):
        value = pandas.Timestamp(value)
    try:
        if isinstance(value, str):
            return moment_text(value, kind)
        if getattr(value, "nanosecond", 0):
            raise ValueError(f"expected a {kind} of whole microseconds")
        return text_of(day_or_moment(value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value), kind)
    except ValueError as error:
        shown = value if isinstance(value, str) else value.isoformat()
        raise ValueError(f"{error}, found '{shown[:_LONGEST_SHOWN]}'") from None


def moment_texts(moments: numpy.ndarray, kind: str) -> Any:
    """As `text_of` writes each of them, many at once."""
    if kind == "date":
        return numpy.datetime_as_string(moments, unit="D").astype("object")
    seconds = moments.astype("datetime64[s]")
    written = [numpy.datetime_as_string(moments, unit=unit).astype("object") for unit in ("s", "us")]
    return numpy.where(seconds == moments, *written) + "Z"
