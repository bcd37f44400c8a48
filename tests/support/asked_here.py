"""The prediction service's own answers, without a process for it: an `Ask` for tests of what decides by them."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.contract.answers import Answers
from services.contract.candidate import Candidate
from services.contract.digest import digest_directory
from services.contract.release import Form
from services.delivery.packaging.chosen_form import FormJudge
from services.delivery.packaging.live_release import nothing_live
from services.delivery.packaging.servable import Ask, Live
from services.delivery.scoring.holdout import Row
from services.delivery.scoring.scoring import Scorer
from services.prediction.ask import answer_file
from services.prediction.predictor import load_predictor


def ask_here(release: Path, form: Form, rows: Sequence[Row], limit_ms: float) -> Answers:  # noqa: ARG001  an Ask
    with tempfile.NamedTemporaryFile("w", suffix=".json") as questions:
        json.dump(rows, questions)
        questions.flush()
        return answer_file(load_predictor(release, digest_directory(release)), Path(questions.name), limit_ms)


def judge_here(scorer: Scorer, candidate: Candidate, ask: Ask = ask_here, live: Live = nothing_live) -> FormJudge:
    return FormJudge(scorer, candidate, ask, live)
