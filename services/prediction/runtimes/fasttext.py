"""fastText from its own file: the only module that knows the library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fasttext

from services.contract import names
from services.contract.cells import text
from services.contract.errors import Refused
from services.contract.fasttext_text import label_and_probability, labelled, labelled_all, one_line
from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Column

_ALL = -1


class FastTextModel:
    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [labelled(*self._most_probable(text(cell))) for (cell,) in rows]

    def predict_plain(self, rows: Sequence[Sequence[Cell]]) -> Mapping[str, Sequence[Any]]:
        """As `predict`."""
        found = [label_and_probability(*self._most_probable(text(cell))) for (cell,) in rows]
        labels, probabilities = zip(*found, strict=True)
        return {names.GRAPH_LABEL: labels, names.GRAPH_PROBABILITY: probabilities}

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        return [labelled_all(*self._answer(text(cell), _ALL), classes) for (cell,) in rows]

    def predict_columns(self, columns: Sequence[Any]) -> Mapping[str, Any]:
        """As `predict`, of the only column; a text that has no answer does not keep the others from theirs."""
        (texts,) = columns
        found = [self._answer_or_none(words) for words in texts.fill_null("").to_pylist()]
        return {
            names.GRAPH_LABEL: [one and one.label for one in found],
            names.GRAPH_PROBABILITY: [one and one.probability for one in found],
        }

    def _answer_or_none(self, words: str) -> Labelled | None:
        try:
            return labelled(*self._most_probable(words))
        except ValueError:
            return None

    def _most_probable(self, words: str) -> tuple[str, float]:
        labels, probabilities = self._answer(words, 1)
        return labels[0], probabilities[0]

    def _answer(self, words: str, k: int) -> tuple[Sequence[str], Sequence[float]]:
        """The `k` most probable labels."""
        # One text at a time: of a list, the build that can only predict gives labels without probabilities.
        try:
            labels, probabilities = self._model.predict(one_line(words), k)
        except RuntimeError as error:
            raise ValueError("the model has no finite answer") from error
        if not labels:
            raise ValueError("the model knows no word of the text")
        return labels, probabilities


def load(file: Path, inputs: Sequence[Column]) -> FastTextModel:
    """Raises Refused for a file that is none of fastText's and for inputs other than one text."""
    if [column.type for column in inputs] != ["string"]:
        found = ", ".join(f"{column.name} {column.type}" for column in inputs)
        raise Refused(f"{file}: expected one input of type string, found {found}: fastText reads one text a row")
    try:
        return FastTextModel(fasttext.load_model(str(file)))
    # A file that is missing or damaged fails in whatever way the library happens to fail.
    except Exception as error:
        raise Refused(f"{file}: expected a fastText model, cannot load it: {error}: package it again") from error
