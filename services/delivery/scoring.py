"""A model's answers to the hold-out, computed in a limited child process and kept by digest."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.record import Sha256
from services.delivery.holdout import Holdout, read_holdout
from services.delivery.limited import run_limited
from services.delivery.order import Forms, Order, Scores
from services.delivery.settings import Settings
from services.delivery.store import Store


@dataclass(frozen=True)
class Question:
    """Which model folder is asked which hold-out."""

    library: str
    folder: Path
    model: Sha256
    holdout: Sha256


@dataclass(frozen=True)
class Scorer:
    """Asks models in the environment of their library, which is below `environments`."""

    store: Store
    environments: Path
    config: ModelConfig

    @classmethod
    def of(cls, settings: Settings, config: ModelConfig) -> Self:
        return cls(Store(settings.trackback_store), settings.trackback_environments, config)

    def holdout(self, sha256: Sha256) -> Holdout:
        return read_holdout(self.store.holdout(sha256), self.config)

    def score(self, question: Question, holdout: Holdout) -> Scores:
        """Raises Refused when the model cannot be loaded or asked within the limits."""
        kept = self.store.scores_path(question.model, question.holdout)
        if kept.is_file() and _fits(scores := Scores.read(kept), holdout):
            return scores
        with self.store.staging() as staging:
            rows, edges = (tuple(map(tuple, part)) for part in (holdout.rows, holdout.edges))
            order = Order(inputs=self.config.inputs, rows=rows, edges=edges)
            self._child("score", question, order, staging / "answers.json")
            scores = Scores.read(staging / "answers.json")
        if not _fits(scores, holdout):
            raise Refused(f"expected {len(holdout.rows)} predictions, found {len(scores.predictions)}")
        scores.write(kept)
        return scores

    def forms(self, question: Question, folder: Path) -> Forms:
        """The ways to serve the model, preferred first; its ONNX graph is written into `folder`, if it has one."""
        self._child("convert", question, Order(inputs=self.config.inputs), folder / "forms.json")
        return Forms.read(folder / "forms.json")

    def _child(self, job: str, question: Question, order: Order, result: Path) -> None:
        path = result.with_name("order.json")
        path.write_text(json.dumps(order.model_dump(mode="json")))
        arguments = [job, question.library, str(question.folder), str(path), str(result)]
        run_limited(python_of(self.environments, question.library), ["-m", "services.delivery.child", *arguments])


def python_of(environments: Path, library: str) -> Path:
    """A library that needs an environment of its own has one of its name; the others are in that of the verbs."""
    own = environments / library / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def _fits(scores: Scores, holdout: Holdout) -> bool:
    return len(scores.predictions) == len(holdout.rows) and len(scores.edges) == len(holdout.edges)
