"""Loads a release that may answer: its files are verified, and it repeats its golden predictions."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.contract import names
from services.contract.errors import Refused
from services.contract.open_release import open_release
from services.contract.prediction import Prediction, is_finite
from services.contract.record import Cell
from services.contract.release import Column, Form, Golden, Release, Servable
from services.prediction.answers import Json, as_json
from services.prediction.column_types import KINDS, check_rows
from services.prediction.invalid import Invalid
from services.prediction.params import Params
from services.prediction.runtimes import Model, PlainModel, find_runtime
from services.prediction.table import read_table

Rows = Sequence[Sequence[Cell]]
# Of one answer, which is held as a whole: 30 MB of JSON.
MOST_PROBABILITIES = 1_000_000
_NO_PARAMS = Params()
_UNTAKEN = "the model cannot take these rows: a value is outside what it was trained on"


class Predictor:
    """`example` is a record that it answers. `on_rows` is told how many rows are about to be given to the model."""

    def __init__(self, release: Release, form: Form, model: Model, example: dict[str, Any] | None = None) -> None:
        self.release = release
        self.manifest = release.manifest
        self.form = form
        self.example = {"dataframe_records": [example or {}]}
        self.model = model
        self._plain = model.predict_plain if isinstance(model, PlainModel) else None
        self.on_rows: Callable[[int], object] = _unwatched

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        """Raises Invalid when the model has no finite answer for these rows."""
        return self._answered(self.model.predict, rows)

    def predict_proba(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        """As `predict`, of a classifier, with the probabilities of all classes."""
        classes = self.manifest.classes
        self._refuse_all_classes(len(rows))
        return self._answered(lambda rows: self.model.predict_proba(rows, classes), rows)

    def method(self, params: Params, rows: int) -> Callable[[Rows], list[Prediction]]:
        """What answers a request of so many rows, be it in parts. Raises Invalid for too many."""
        if not params.all_classes:
            return self.predict
        self._refuse_all_classes(rows)
        return self.predict_proba

    def _refuse_all_classes(self, rows: int) -> None:
        classes = self.manifest.classes
        if not classes:
            raise Invalid(422, "this release has no probabilities of all classes: promote its run again to have them")
        if rows > self.most_rows:
            many = f"expected at most {self.most_rows} rows for the probabilities of all {len(classes)} classes"
            raise Invalid(413, f"{many}, found {rows}: send them in parts")

    def answer(self, rows: Rows) -> list[Json]:
        """As `predict`, as the predictions stand in an answer. Raises ValueError or Invalid where there is none."""
        if self._plain is None:
            return [as_json(one, _NO_PARAMS) for one in self.predict(rows)]
        self.on_rows(len(rows))
        found = self._plain(rows)
        if names.GRAPH_PREDICTION in found:
            return list(_finite(found[names.GRAPH_PREDICTION]))
        labels, probabilities = found[names.GRAPH_LABEL], _finite(found[names.GRAPH_PROBABILITY])
        # What `Params.threshold` of 0 leaves no label to.
        if min(probabilities) < 0:
            raise ValueError("a probability below 0")
        return [
            {"label": label, "probability": probability}
            for label, probability in zip(labels, probabilities, strict=True)
        ]

    @property
    def most_rows(self) -> int:
        """Of which the probabilities of all classes are answered at once."""
        return max(1, MOST_PROBABILITIES // max(1, len(self.manifest.classes)))

    def ask(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> list[Prediction]:
        """Of values as JSON has them, in the order of `columns` or of the inputs. Raises Invalid like a request."""
        return self.predict(self._checked(rows, columns))

    def ask_all(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> list[Prediction]:
        """As `ask`, with the probabilities of all classes."""
        return self.predict_proba(self._checked(rows, columns))

    def _checked(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None) -> list[list[Cell]]:
        inputs = self.manifest.inputs
        return check_rows(read_table(columns or [column.name for column in inputs], rows, inputs), inputs)

    def _answered(self, predict: Callable[[Rows], list[Prediction]], rows: Rows) -> list[Prediction]:
        self.on_rows(len(rows))
        return _answered(predict, rows)


def _answered(predict: Callable[[Rows], list[Prediction]], rows: Rows) -> list[Prediction]:
    try:
        predictions = predict(rows)
    # A runtime's word for a row it cannot take, such as a category that was never trained.
    except ValueError as error:
        raise Invalid(422, f"{_UNTAKEN} ({error})" if str(error) else _UNTAKEN) from error
    if not all(map(is_finite, predictions)):
        raise Invalid(422, "the model has no finite answer: a number is far outside what it was trained on")
    return predictions


def _finite(numbers: Sequence[float]) -> Sequence[float]:
    """Raises ValueError when one is not."""
    if not all(map(math.isfinite, numbers)):
        raise ValueError("the model has no finite answer")
    return numbers


def _unwatched(rows: int) -> None:
    """Where nobody watches for how long a model takes."""


def load_predictor(folder: Path, digest: str) -> Predictor:
    """Raises Refused for changed files, untrusted types and answers that differ from the golden ones."""
    return load_opened(folder, *open_release(folder, digest))


def load_opened(folder: Path, release: Release, golden: Golden) -> Predictor:
    """As `load_predictor`, of a folder whose files were verified."""
    form, inputs = _form(release.manifest.servable), release.manifest.inputs
    _check_inputs(inputs)
    model = find_runtime(form.runtime).load(_model_file(folder, form), inputs)
    # The first ones are rows at the edge.
    example = dict(zip(golden.columns, golden.rows[-1], strict=False)) if golden.rows else None
    predictor = Predictor(release, form, model, example)
    replay(predictor, golden)
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


def replay(predictor: Predictor, golden: Golden) -> None:
    """Once for the answers, and once more where the probabilities of all classes are known. Raises Refused."""
    try:
        golden.check(predictor.ask(golden.rows, golden.columns))
        known = golden.of_all_classes
        starts = range(0, len(known.rows), predictor.most_rows)
        parts = (known.rows[start : start + predictor.most_rows] for start in starts)
        found = [answer for part in parts for answer in predictor.ask_all(part, known.columns)]
    except Invalid as error:
        raise Refused(f"expected golden rows that the model takes, found: {error}") from error
    if known.rows:
        known.check(found)
