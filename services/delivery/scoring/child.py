"""The limited child process, in the environment of the model's library: asks the model, and turns it into ONNX.

It writes a file for each phase as soon as that is over, and says before which one it begins: whoever started it knows
then what the model was asked when it ended, however that was.

usage: python -m services.delivery.scoring.child LIBRARY FOLDER REQUEST RESULTS
"""

import gc
import math
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from services.contract import names
from services.contract.asking import Tell, predict_classes, predict_each, step_of
from services.contract.errors import Refused, reason
from services.contract.prediction import Prediction
from services.contract.record import Record
from services.contract.release import Form
from services.delivery.flavors import IN_DOUBLE, Classifies, Flavor, find_flavor
from services.delivery.scoring.footprint import footprint
from services.delivery.scoring.messages import (
    ANSWERS_FILE,
    EDGES_FILE,
    FOOTPRINT_FILE,
    FORMS_FILE,
    PHASE_FILE,
    STABILITY_FILE,
    EdgeAnswers,
    Forms,
    Phase,
    Scores,
    ScoringRequest,
)
from services.delivery.scoring.stability import ask_again

Rows = Sequence[Sequence[Any]]
_Found = TypeVar("_Found", bound=Record)
ONNX = Form(runtime="onnx", file=f"{names.SERVABLE_FOLDER}/{names.ONNX_FILE}", tolerance=IN_DOUBLE)
# A question of one row takes milliseconds, where a library serves by itself, and 50 to 300 of them in Spark.
SINGLES, SINGLES_OF_SLOW = 16, 3


class Examination:
    """Of one model, whose answers and what else was found go into the folder `results`."""

    def __init__(self, flavor: Flavor, folder: Path, request: ScoringRequest, results: Path) -> None:
        self._flavor, self._folder, self._inputs, self._results = flavor, folder, request.inputs, results
        self._rows, self._edges = _with_nan(request.rows), _with_nan(request.edges)
        self._begin(Phase.LOADING)
        self._model = flavor.load(folder)

    def answer(self) -> Scores:
        self._begin(Phase.ANSWERING)
        failures: list[str] = []
        predictions = self._ask(self._rows, 0, lambda row, error: failures.append(f"row {row}: {reason(error)}"))
        failure = failures[0] if failures else None
        scores = Scores(classes=self._classes, predictions=tuple(predictions), edges=(), failure=failure)
        return self._write(scores, ANSWERS_FILE)

    def answer_edges(self) -> None:
        self._begin(Phase.ROBUSTNESS)
        refusals: list[str] = []
        found = self._ask(self._edges, len(self._rows), lambda _, error: refusals.append(reason(error)))
        self._write(EdgeAnswers(predictions=tuple(found), refusals=tuple(refusals)), EDGES_FILE)

    def answer_again(self, scores: Scores) -> None:
        self._begin(Phase.STABILITY)
        singles = SINGLES if self._flavor.NATIVE else SINGLES_OF_SLOW
        ask = _each(partial(self._flavor.predict, self._model, inputs=self._inputs), lambda *_: None)
        self._write(ask_again(ask, self._rows, scores.predictions, singles), STABILITY_FILE)
        self._write(footprint(), FOOTPRINT_FILE)

    def convert(self) -> None:
        """Writes the graph, if there is one."""
        self._begin(Phase.FORMS)
        flavor = self._flavor
        forms, notes = [flavor.NATIVE] if flavor.NATIVE else [], []
        try:
            graph = flavor.to_onnx(self._model, self._folder, self._inputs)
        except Refused as refused:
            notes.append(f"{ONNX.runtime}: {refused}")
        else:
            (self._results / names.ONNX_FILE).write_bytes(graph)
            forms.insert(0, ONNX.model_copy(update={"tolerance": flavor.tolerance(self._model)}))
        self._write(Forms(forms=tuple(forms), notes=tuple(notes)), FORMS_FILE)

    def end(self) -> None:
        self._begin(Phase.DONE)

    @property
    def _classes(self) -> tuple[str, ...]:
        return tuple(self._flavor.classes(self._model)) if isinstance(self._flavor, Classifies) else ()

    def _ask(self, rows: Rows, first: int, tell: Tell) -> list[Prediction | None]:
        """`first` is the place of the first one among hold-out rows and edges."""
        flavor = self._flavor
        plain = partial(flavor.predict, self._model, inputs=self._inputs)
        full = (
            partial(flavor.predict_proba, self._model, inputs=self._inputs) if isinstance(flavor, Classifies) else plain
        )
        step = step_of(len(self._rows) + len(self._edges), len(self._classes))
        return predict_classes(_each(plain, tell), _each(full, tell), rows, step, first)

    def _begin(self, phase: Phase) -> None:
        (self._results / PHASE_FILE).write_text(phase.name)

    def _write(self, found: _Found, name: str) -> _Found:
        (self._results / name).write_text(found.to_json())
        return found


def examine(flavor: Flavor, folder: Path, request: ScoringRequest, results: Path) -> None:
    model = Examination(flavor, folder, request, results)
    scores = model.answer()
    model.answer_edges()
    if request.examined:
        model.answer_again(scores)
        model.convert()
    model.end()


def _each(predict: Callable[[Rows], list[Prediction]], tell: Tell) -> Callable[[Rows], list[Prediction | None]]:
    return lambda rows: predict_each(predict, rows, ValueError, tell)


def _with_nan(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[math.nan if value is None else value for value in row] for row in rows]


def main(find: Callable[[], Flavor], *paths: str) -> NoReturn:
    """`find` imports the library."""
    gc.disable()
    folder, request, results = map(Path, paths)
    status = 1
    try:
        examine(find(), folder, ScoringRequest.read(request), results)
        status = 0
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
    # Whatever a model raises, as it may raise SystemExit.
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that the model has left behind would never let it end otherwise.
    os._exit(status)


if __name__ == "__main__":
    main(partial(find_flavor, sys.argv[1]), *sys.argv[2:])
