"""Numbers as people read them: four digits that count, thousands apart, signs that are signs."""

import math
from typing import Any

MINUS = "\N{MINUS SIGN}"
# Metrics in the unit of the target.
IN_UNITS = ("mean_absolute_error", "root_mean_squared_error")
_LONGEST_TEXT = 120


def number(value: float) -> str:
    """264.9, 1,234, 0.8412, 1.2e-05, 3.016e+14."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    size = abs(value)
    whole = 1000 <= size < 1e10
    text = f"{size:,.0f}" if whole else f"{size:.4g}" if size >= 0.001 else f"{size:.1e}"
    return f"{MINUS if value < 0 else ''}{text}"


def signed(value: float) -> str:
    """With its sign, also where it is positive."""
    return f"+{number(value)}" if value > 0 else number(value)


def share(part: float, whole: float) -> str:
    """A tenth of a percent, but never nought or all where it is neither."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return "< 0.1%"
    return f"{min(percent, 99.9) if part < whole else percent:.1f}%"


def probability(value: float) -> str:
    """Of a test: "0.012", or "< 0.001"."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def metric(name: str) -> str:
    """A metric of scikit-learn in words."""
    return name.removesuffix("_score").replace("_", " ")


def cell(value: Any) -> str:
    """A value of a row, cut where it is long."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    if isinstance(value, float):
        return f"{value:,.6g}".replace("-", MINUS)
    text = str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def answer(value: Any) -> str:
    """A target or what a model answered: rounded as a metric is."""
    return number(value) if isinstance(value, float) else cell(value)


def count(amount: int, noun: str) -> str:
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def tick(value: float) -> str:
    """On an axis: 12k, 1.5M, 0.25."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:g}{letter}".replace("-", MINUS)
    return f"{value:,.6g}".replace("-", MINUS)


def all_of(amount: int, noun: str) -> str:
    """ "the one check passed", "all 12 checks passed"."""
    return f"the one {noun} passed" if amount == 1 else f"all {amount:,} {noun}s passed"


def equals(value: float) -> str:
    """A test's probability after its letter."""
    text = probability(value)
    return text if text.startswith("<") else f"= {text}"


def of_unit(value: float, unit: str) -> str:
    """Bytes as people count them."""
    if unit in ("byte", "bytes", "B"):
        for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if abs(value) >= size:
                return f"{number(value / size)} {name}"
    return f"{number(value)} {unit}"


def change(before: float, after: float) -> str:
    """From live to candidate."""
    if not before:
        return "new" if after else "the same"
    share = after / before - 1
    return "the same" if abs(share) < 0.0005 else f"{'+' if share > 0 else MINUS}{abs(share):.1%}"
