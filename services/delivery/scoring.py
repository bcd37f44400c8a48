"""A model's answers to the hold-out, computed in a limited child process and kept by digest."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict

from services.contract.errors import Refused
from services.contract.record import Record, Sha256
from services.delivery.holdout import Holdout
from services.delivery.settings import ROOT
from services.delivery.store import Store

SECONDS = 60


class Scores(Record):
    """One prediction a row, finite or not, and the milliseconds that single rows took."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    predictions: tuple[float, ...]
    latency_ms: tuple[float, ...]


@dataclass(frozen=True)
class Question:
    """Which model folder is asked which hold-out."""

    library: str
    folder: Path
    model: Sha256
    holdout: Sha256


def score(store: Store, question: Question, holdout: Holdout) -> Scores:
    """Raises Refused when the model cannot be loaded or asked within the limits."""
    kept = store.scores_path(question.model, question.holdout)
    if kept.is_file():
        return Scores.read(kept)
    with store.staging() as staging:
        questions, answers = staging / "questions.json", staging / "answers.json"
        questions.write_text(json.dumps(holdout.rows))
        _run(["-m", "services.delivery.child", question.library, str(question.folder), str(questions), str(answers)])
        scores = Scores.read(answers)
    if len(scores.predictions) != len(holdout.rows):
        raise Refused(f"expected {len(holdout.rows)} predictions, found {len(scores.predictions)}")
    scores.write(kept)
    return scores


def _run(arguments: list[str]) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"expected answers within {SECONDS} s, found none: the model hangs") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Refused(f"{lines[-1]} (exit {done.returncode})")
