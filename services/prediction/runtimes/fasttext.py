"""fastText from its own file: the only module that knows the library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext

from services.contract.cells import text
from services.contract.errors import Refused
from services.contract.fasttext_text import labelled, one_line
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column
from services.prediction.runtimes import Cell


class FastTextModel:
    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [self._answer(text(cell)) for (cell,) in rows]

    def _answer(self, words: str) -> Labelled:
        # One text at a time: of a list, the build that can only predict gives labels without probabilities.
        try:
            labels, probabilities = self._model.predict(one_line(words))
        except RuntimeError as error:
            raise ValueError("the model has no finite answer") from error
        if not labels:
            raise ValueError("the model knows no word of the text")
        return labelled(labels[0], probabilities[0])


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
