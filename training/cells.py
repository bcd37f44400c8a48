"""Converts the text of a CSV cell to the type that model.yaml declares."""

import math
from collections.abc import Callable
from typing import Any

from services.contract.moments import EXAMPLES, moment_text

_LABEL = {"0": 0, "1": 1}
_TRUTH = {"true": True, "false": False}
_SHOWN = 60


def convert(text: str, kind: str, optional: bool = False) -> Any:
    """`kind` is a key of `_KINDS`; what is `optional` and missing is None.

    Raises ValueError that says what was expected and found.
    """
    expected, to = _KINDS[kind]
    if optional:
        expected = f"{expected} or an empty field"
    try:
        if optional and not text:
            return None
        return to(text)
    except (ValueError, KeyError):
        found = repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"
        raise ValueError(f"expected {expected}, found {found}") from None


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _whole_number(text: str) -> int:
    if not -(2**63) <= (number := int(text)) < 2**63:
        raise ValueError
    return number


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


_KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "double": ("a number", _number),
    "long": ("a whole number", _whole_number),
    "string": ("a text", _text),
    "boolean": ("true or false", lambda text: _TRUTH[text.lower()]),
    "date": (f"a date such as {EXAMPLES['date']}", lambda text: moment_text(text, "date")),
    "datetime": (f"a datetime such as {EXAMPLES['datetime']}", lambda text: moment_text(text, "datetime")),
    "label": ("0 or 1", lambda text: _LABEL[text]),
}
