"""Converts the text of a CSV cell to the type that model.yaml declares."""

import math
import re
from collections.abc import Callable
from typing import Any

from services.contract.moments import EXAMPLES, MOMENTS, YEARS, moment_text

# In lower case: what R, pandas, spreadsheets and databases write where a value is missing.
_MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "\\n"}
# As it stands: `none` or `?` may well be a category.
_MISSING_TEXTS = {"", "NA"}
# As a DataFrame writes them: 1.0 beside missing ones.
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_SHOWN = 60
# Python alone reads more as a number: `3_750`, other scripts' digits, `infinity`.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# With `.0`, as pandas writes whole numbers beside missing ones.
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([,.' \u00a0\u202f\u2019])\d{3}(\1\d{3})*([.,]\d*)?", re.ASCII)


def convert(text: str, kind: str, optional: bool = False) -> Any:
    """`kind` is a key of `_KINDS`; what is `optional` and missing is None.

    Raises ValueError that says what was expected and found, and what to do about it.
    """
    expected, to = _KINDS[kind]
    if optional:
        expected = f"{expected} or an empty field"
    try:
        return None if optional and is_missing(text, kind) else to(text)
    except (ValueError, KeyError):
        found = repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"
        advice = "" if optional else _missing(text, kind)
        raise ValueError(f"expected {expected}, found {found}{advice or _advice(text.strip(), kind)}") from None


def is_missing(text: str, kind: str = "double") -> bool:
    return text in _MISSING_TEXTS if kind == "string" else text.strip().lower() in _MISSING


def _missing(text: str, kind: str) -> str:
    if not is_missing(text, kind):
        return ""
    return ", a missing value: list an input in data.optional of model.yaml, or leave out the row"


def _advice(text: str, kind: str) -> str:
    if kind in _NUMBERS and _GROUPED.fullmatch(text):
        return ": write it without a separator of thousands, and decimals behind a point"
    if kind in MOMENTS and _DAY.match(text):
        return f": years are {YEARS[0]} to {YEARS[-1]}, and seconds have at most six decimals"
    if kind in _NUMBERS and _DECIMAL_COMMA.fullmatch(text):
        return f": write decimals behind a point, {text.replace(',', '.')}"
    return ""


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text := text.strip()) or not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _whole_number(text: str) -> int:
    found = _WHOLE_NUMBER.fullmatch(text.strip())
    if not found or not -(2**63) <= (number := int(found[1])) < 2**63:
        raise ValueError
    return number


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _truth(text: str) -> bool:
    return _TRUTH[text.strip().lower()]


_KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "double": ("a number", _number),
    "long": ("a whole number", _whole_number),
    "string": ("a text", _text),
    "boolean": ("true or false", _truth),
    "date": (f"a date such as {EXAMPLES['date']}", lambda text: moment_text(text.strip(), "date")),
    "datetime": (f"a datetime such as {EXAMPLES['datetime']}", lambda text: moment_text(text.strip(), "datetime")),
    "label": ("0 or 1", lambda text: int(_truth(text))),
}
_NUMBERS = {"double", "long", "label"}
