"""fastText from its own file: the only module that knows the library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column
from services.prediction.runtimes import Cell

_PREFIX = "__label__"
_END_OF_LINE = "</s>"


class FastTextModel:
    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [self._answer(str(text)) for (text,) in rows]

    def _answer(self, text: str) -> Labelled:
        # One text at a time: of a list, the build that can only predict gives labels without probabilities.
        try:
            labels, probabilities = self._model.predict(one_line(text))
        except RuntimeError as error:
            raise ValueError("the model has no finite answer") from error
        if not labels:
            raise ValueError("the model knows no word of the text")
        # fastText adds 0.00001 to every probability before it takes the logarithm.
        return Labelled(label=labels[0].removeprefix(_PREFIX), probability=min(float(probabilities[0]), 1.0))


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


def one_line(text: str) -> str:
    """The words that fastText is to read, as the flavor that trained the model has it."""
    words = text.encode(errors="replace").decode().replace("\0", " ").split()
    return " ".join(word for word in words if word != _END_OF_LINE and not word.startswith(_PREFIX))
