"""A model's predictions for the hold-out, from a limited child process. They are stored by digest; timings are not."""

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from services.contract.environments import python_for
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.own_code import refuse_uncommitted
from services.contract.record import Sha256
from services.contract.row_times import Round
from services.contract.stopwatch import TIMED_ROWS
from services.delivery.scoring.holdout import Holdout, Row, read_holdout
from services.delivery.scoring.limited import run_limited
from services.delivery.scoring.messages import Forms, Scores, ScoringReply, ScoringRequest
from services.delivery.settings import Settings
from services.delivery.store import Store

Rows = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class HoldoutRequest:
    """Which model folder is asked which hold-out."""

    library: str
    folder: Path
    model: Sha256
    holdout: Sha256


@dataclass(frozen=True)
class Scorer:
    """Asks models in the environment of their own lock or of their library, which is below `environments`.

    `train_py` is the model's own code as it was committed, the only one that a candidate may bring; None for none.
    """

    store: Store
    environments: Path
    config: ModelConfig
    train_py: Path | None = None

    @classmethod
    def of(cls, settings: Settings, config: ModelConfig) -> Self:
        train_py = settings.models / config.name / "train.py"
        return cls(Store(settings.store), settings.environments, config, train_py)

    def refuse_other_code(self, folder: Path) -> None:
        """Raises Refused for a model that brings code or types of its own other than a commit says."""
        refuse_uncommitted(folder, self.train_py, self.config.trusted)

    def holdout(self, sha256: Sha256) -> Holdout:
        return read_holdout(self.store.holdout(sha256), self.config)

    def score(self, request: HoldoutRequest, holdout: Holdout) -> Scores:
        """Raises Refused when the model cannot be loaded or asked within the limits."""
        return self._kept(request, holdout) or self._asked(request, holdout).scores

    def score_and_time(self, request: HoldoutRequest, holdout: Holdout) -> tuple[Scores, tuple[Round, ...]]:
        """Answers that may be kept from before, and what rows take now; no rounds if the library never serves."""
        timed = _tuples(holdout.rows[:TIMED_ROWS])
        if kept := self._kept(request, holdout):
            message = ScoringRequest(inputs=self.config.inputs, timed=timed, limit_ms=self.config.gates.latency_p99_ms)
            return kept, self._reply(request, message).rounds
        reply = self._asked(request, holdout, timed)
        return reply.scores, reply.rounds

    def _kept(self, request: HoldoutRequest, holdout: Holdout) -> Scores | None:
        """None as well when another version of ours kept it in its own way."""
        with contextlib.suppress(Refused):
            scores = Scores.read(self.store.scores_path(request.model, request.holdout))
            return scores if _fits(scores, holdout) else None
        return None

    def _asked(self, request: HoldoutRequest, holdout: Holdout, timed: Rows = ()) -> ScoringReply:
        message = ScoringRequest(
            inputs=self.config.inputs,
            rows=_tuples(holdout.rows),
            edges=_tuples(holdout.edges),
            timed=timed,
            limit_ms=self.config.gates.latency_p99_ms,
        )
        reply = self._reply(request, message)
        if not _fits(reply.scores, holdout):
            raise Refused(f"expected {len(holdout.rows)} predictions, found {len(reply.scores.predictions)}")
        reply.scores.write(self.store.scores_path(request.model, request.holdout))
        return reply

    def _reply(self, request: HoldoutRequest, message: ScoringRequest) -> ScoringReply:
        with self.store.staging() as staging:
            self._child("score", request, message, staging / "answers.json")
            return ScoringReply.read(staging / "answers.json")

    def forms(self, request: HoldoutRequest, folder: Path) -> Forms:
        """The ways to serve the model, preferred first; its ONNX graph is written into `folder`, if it has one."""
        self._child("convert", request, ScoringRequest(inputs=self.config.inputs), folder / "forms.json")
        return Forms.read(folder / "forms.json")

    def _child(self, job: str, request: HoldoutRequest, message: ScoringRequest, result: Path) -> None:
        path = result.with_name("request.json")
        path.write_text(json.dumps(message.model_dump(mode="json")))
        arguments = [job, request.library, str(request.folder), str(path), str(result)]
        python = python_for(request.library, request.folder, self.environments) or Path(sys.executable)
        run_limited(python, ["-m", "services.delivery.scoring.child", *arguments])


def _tuples(rows: list[Row]) -> Rows:
    return tuple(map(tuple, rows))


def _fits(scores: Scores, holdout: Holdout) -> bool:
    return len(scores.predictions) == len(holdout.rows) and len(scores.edges) == len(holdout.edges)
