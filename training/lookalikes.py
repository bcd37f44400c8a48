"""Names values that a person would take for one and a model takes for two: `Adelie ` beside `Adelie`."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import pandas

from services.contract.csv_cells import is_missing
from training.dataset import Dataset

Counts = dict[str, int]


def lookalikes(dataset: Dataset) -> list[str]:
    """A sentence for such a pair, at most one of a kind for a column; none for columns whose texts do not repeat."""
    sides = (dataset.training, dataset.holdout)
    inputs, target = pandas.concat([side.inputs for side in sides]), pandas.concat([side.target for side in sides])
    return [
        f"note: column '{column.name}' has {note}"
        for column in (*(inputs[name] for name in inputs), target)
        for note in _notes(_counts(column))
    ]


def _counts(column: pandas.Series) -> Counts:
    """How often each text is there, the most frequent first."""
    if not pandas.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        return {}
    counts = column.value_counts()
    if len(counts) > len(column) / 2:
        return {}
    return {text: int(count) for text, count in counts.items() if isinstance(text, str)}


def _notes(counts: Counts) -> Iterator[str]:
    groups = defaultdict(list)
    for text in counts:
        groups[_as_read(text)].append(text)
    if pair := next((group for group in groups.values() if len(group) > 1), None):
        common, rare = pair[:2]
        yield (
            f"{rare!r} in {counts[rare]} rows beside {common!r} in {counts[common]}, which are two values to a model: "
            "write them alike if they are one"
        )
    elif spaced := [text for text in counts if text != text.strip()]:
        yield (
            f"{spaced[0]!r} in {counts[spaced[0]]} rows, with its space: whoever asks the model has to write it so, too"
        )
    if absent := [text for text in counts if text and is_missing(text)]:
        yield f"{absent[0]!r} in {counts[absent[0]]} rows, which is taken for a text and not for a missing value"


def _as_read(text: str) -> str:
    return unicodedata.normalize("NFKC", " ".join(text.split())).casefold()
