"""The training set in short, column by column, so that two runs can be compared without the rows themselves."""

from collections.abc import Callable

import pandas

from services.contract.candidate import ColumnSummary
from services.contract.model_config import Data
from services.contract.task import TARGETS, Task
from training.dataset import Part

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
# Of an input and of a target's labels, and as a share of the rows: what is rarer is not a word's but a text's own.
_MOST_WORDS, _MOST_LABELS, _LEAST = 20, 100, 0.001
_LONGEST = 60


def summaries(part: Part, data: Data, task: Task) -> dict[str, ColumnSummary]:
    """Numbers by their quantiles, moments by theirs in seconds since 1970, truth and words by their shares, texts also
    by the quantiles of their length."""
    found = {name: _summary(part.inputs[name], kind, _MOST_WORDS) for name, kind in data.columns.items()}
    target = "boolean" if task == "binary-classification" else TARGETS[task]
    return {**found, data.target: _summary(part.target, target, _MOST_LABELS)}


def _summary(column: pandas.Series, kind: str, most: int) -> ColumnSummary:
    there = column.dropna()
    numbers = _NUMBERS[kind](there)
    return ColumnSummary(
        missing=float(1 - len(there) / max(1, len(column))),
        distinct=int(there.nunique()),
        quantiles=tuple(map(float, numbers.quantile(list(QUANTILES)))) if len(numbers) else (),
        shares=_shares(there, kind, most) if kind in ("string", "boolean") else {},
    )


def _shares(there: pandas.Series, kind: str, most: int) -> dict[str, float]:
    words = there.astype("bool").map({True: "1", False: "0"}) if kind == "boolean" else there.str[:_LONGEST]
    shares = words.value_counts(normalize=True).head(most)
    return {str(word): float(share) for word, share in shares.items() if share >= _LEAST}


def _seconds(moments: pandas.Series) -> pandas.Series:
    return moments.astype("int64") / 1e9


_NUMBERS: dict[str, Callable[[pandas.Series], pandas.Series]] = {
    "double": lambda there: there,
    "long": lambda there: there,
    "boolean": lambda there: there[:0],
    "string": lambda there: there.str.len(),
    "date": _seconds,
    "datetime": _seconds,
}
