"""Loads a release that may answer: its files are verified, and it repeats its golden predictions."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.contract.open_release import open_release
from services.contract.prediction import Prediction, number_of
from services.contract.release import Column, Form, Golden, Release, Servable
from services.prediction.column_types import KINDS, check_rows
from services.prediction.invalid import Invalid
from services.prediction.invocations import read_table
from services.prediction.runtimes import Cell, Model, find_runtime


class Predictor:
    """`example` is a record that it answers."""

    def __init__(self, release: Release, form: Form, model: Model, example: dict[str, Any] | None = None) -> None:
        self.release = release
        self.manifest = release.manifest
        self.form = form
        self.example = {"dataframe_records": [example or {}]}
        self._model = model

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        """Raises Invalid when the model has no finite answer for these rows."""
        try:
            predictions = self._model.predict(rows)
        # A runtime's word for a row it cannot take, such as a category that was never trained.
        except ValueError as error:
            raise Invalid(422, "the model cannot take these rows: a value is outside what it was trained on") from error
        if not all(math.isfinite(number_of(prediction)) for prediction in predictions):
            raise Invalid(422, "the model has no finite answer: a number is far outside what it was trained on")
        return predictions

    def ask(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> list[Prediction]:
        """Of values as JSON has them, in the order of `columns` or of the inputs. Raises Invalid like a request."""
        inputs = self.manifest.inputs
        table = read_table(columns or [column.name for column in inputs], rows, inputs)
        return self.predict(check_rows(table, inputs))


def load_predictor(folder: Path, digest: str) -> Predictor:
    """Raises Refused for changed files, untrusted types and answers that differ from the golden ones."""
    release, golden = open_release(folder, digest)
    form, inputs = _form(release.manifest.servable), release.manifest.inputs
    _check_inputs(inputs)
    model = find_runtime(form.runtime).load(_model_file(folder, form), inputs)
    # The first ones are rows at the edge.
    example = dict(zip(golden.columns, golden.rows[-1], strict=False)) if golden.rows else None
    predictor = Predictor(release, form, model, example)
    _replay(predictor, golden)
    return predictor


def _form(servable: Servable) -> Form:
    if servable.form is None:
        raise Refused(f"expected a release that can answer, found one for batch only: {'; '.join(servable.notes)}")
    return servable.form


def _check_inputs(inputs: Sequence[Column]) -> None:
    if unknown := {column.type for column in inputs} - set(KINDS):
        raise Refused(f"expected inputs of {', '.join(KINDS)}, found {', '.join(sorted(unknown))}")


def _model_file(folder: Path, form: Form) -> Path:
    file = folder / form.file
    if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
        raise Refused(f"{folder}: expected the model in a file of the release, found '{form.file}' outside or missing")
    return file


def _replay(predictor: Predictor, golden: Golden) -> None:
    try:
        found = predictor.ask(golden.rows, golden.columns)
    except Invalid as error:
        raise Refused(f"expected golden rows that the model takes, found: {error}") from error
    golden.check(found)
