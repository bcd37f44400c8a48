"""The limited child process, in the environment of the model's library: asks the model, and turns it into ONNX.

usage: python -m services.delivery.scoring.child {score|convert} LIBRARY FOLDER REQUEST RESULT
"""

import gc
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.contract import names
from services.contract.asking import Tell, predict_classes, predict_each, step_of, tell_nobody, time_each
from services.contract.errors import Refused, reason
from services.contract.prediction import Prediction
from services.contract.release import Form
from services.delivery.flavors import IN_DOUBLE, Classifies, Flavor, find_flavor
from services.delivery.scoring.messages import Forms, Scores, ScoringReply, ScoringRequest

Rows = Sequence[Sequence[Any]]
ONNX = Form(runtime="onnx", file=f"{names.SERVABLE_FOLDER}/{names.ONNX_FILE}", tolerance=IN_DOUBLE)


def score(flavor: Flavor, folder: Path, request: ScoringRequest, result: Path) -> None:
    """Answers every row, and, if the library serves by itself, times those that are to be timed one at a time."""
    model = flavor.load(folder)
    rows, edges, timed = map(_with_nan, (request.rows, request.edges, request.timed if flavor.NATIVE else ()))

    def predict(rows: Rows) -> list[Prediction]:
        return flavor.predict(model, rows, request.inputs)

    def predict_proba(rows: Rows) -> list[Prediction]:
        return flavor.predict_proba(model, rows, request.inputs) if isinstance(flavor, Classifies) else predict(rows)

    failures: list[str] = []
    classes = tuple(flavor.classes(model)) if isinstance(flavor, Classifies) else ()
    step = step_of(len(rows) + len(edges), len(classes))

    def answers(some: Rows, first: int, tell: Tell) -> tuple[Prediction | None, ...]:
        plain, all_classes = (_each(one, tell) for one in (predict, predict_proba))
        return tuple(predict_classes(plain, all_classes, some, step, first))

    predictions = answers(rows, 0, lambda row, error: failures.append(f"row {row}: {reason(error)}"))
    of_edges = answers(edges, len(rows), tell_nobody)
    failure = failures[0] if failures else None
    scores = Scores(classes=classes, predictions=predictions, edges=of_edges, failure=failure)
    rounds = time_each(predict, timed, ValueError, request.limit_ms)
    ScoringReply(scores=scores, rounds=rounds).write(result)


def _each(predict: Callable[[Rows], list[Prediction]], tell: Tell) -> Callable[[Rows], list[Prediction | None]]:
    return lambda rows: predict_each(predict, rows, ValueError, tell)


def convert(flavor: Flavor, folder: Path, request: ScoringRequest, result: Path) -> None:
    """Writes the graph beside the result, if there is one."""
    forms, notes = [flavor.NATIVE] if flavor.NATIVE else [], []
    model = flavor.load(folder)
    try:
        graph = flavor.to_onnx(model, folder, request.inputs)
    except Refused as reason:
        notes.append(f"{ONNX.runtime}: {reason}")
    else:
        result.with_name(names.ONNX_FILE).write_bytes(graph)
        forms.insert(0, ONNX.model_copy(update={"tolerance": flavor.tolerance(model)}))
    Forms(forms=tuple(forms), notes=tuple(notes)).write(result)


def _with_nan(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[math.nan if value is None else value for value in row] for row in rows]


def main(job: str, library: str, *paths: str) -> None:
    folder, request, result = map(Path, paths)
    {"score": score, "convert": convert}[job](find_flavor(library), folder, ScoringRequest.read(request), result)


if __name__ == "__main__":
    gc.disable()
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
    finally:
        gc.freeze()
