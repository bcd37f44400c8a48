"""A model's predictions for the hold-out, from a limited child process. They are stored by digest; what the child took
is not."""

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from services.contract import names
from services.contract.environments import python_for
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.own_code import refuse_uncommitted
from services.contract.record import Record, Sha256
from services.delivery.scoring.holdout import Holdout, Row, read_holdout
from services.delivery.scoring.limited import Limits, run_limited
from services.delivery.scoring.messages import (
    ANSWERS_FILE,
    EDGES_FILE,
    FOOTPRINT_FILE,
    FORMS_FILE,
    PHASE_FILE,
    STABILITY_FILE,
    EdgeAnswers,
    Footprint,
    Forms,
    Phase,
    Scores,
    ScoringRequest,
    Stability,
)
from services.delivery.settings import Settings
from services.delivery.store import Store

Rows = tuple[tuple[Any, ...], ...]
_Found = TypeVar("_Found", bound=Record)


@dataclass(frozen=True)
class HoldoutRequest:
    """Which model folder is asked which hold-out."""

    library: str
    folder: Path
    model: Sha256
    holdout: Sha256


@dataclass(frozen=True)
class Stopped:
    """In which phase the child ended before it was done, and why: Undecided where the machine may have ended it."""

    phase: Phase
    reason: Refused

    def __str__(self) -> str:
        return f"while {self.phase}: {self.reason}"


@dataclass(frozen=True)
class Examined:
    """What the child found out, phase by phase: None from the one on in which it stopped."""

    scores: Scores | None = None
    edges: EdgeAnswers | None = None
    stability: Stability | None = None
    footprint: Footprint | None = None
    forms: Forms | None = None
    graph: bytes | None = None
    stopped: Stopped | None = None

    @property
    def stopped_after_loading(self) -> bool:
        return self.stopped is not None and self.stopped.phase is not Phase.LOADING


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

    @property
    def limits(self) -> Limits:
        budgets = self.config.gates.budgets
        return Limits(cpu=budgets.cpu_seconds, memory_megabytes=budgets.memory_megabytes)

    def refuse_other_code(self, folder: Path) -> None:
        """Raises Refused for a model that brings code or types of its own other than a commit says."""
        refuse_uncommitted(folder, self.train_py, self.config.trusted)

    def holdout(self, sha256: Sha256) -> Holdout:
        return read_holdout(self.store.holdout(sha256), self.config)

    def score(self, request: HoldoutRequest, holdout: Holdout) -> Scores:
        """Those that are kept, else asked for. Raises Refused when the model cannot be loaded or asked within the
        limits."""
        return self._kept(request, holdout) or self._answers(request, holdout)

    def examine(self, request: HoldoutRequest, holdout: Holdout) -> Examined:
        """Always asks, because what the model takes is kept nowhere; keeps the answers."""
        try:
            self.refuse_other_code(request.folder)
            python = python_for(request.library, request.folder, self.environments)
        except Refused as refused:
            return Examined(stopped=Stopped(Phase.LOADING, refused))
        return self._child(request, holdout, python, examined=True)

    def _answers(self, request: HoldoutRequest, holdout: Holdout) -> Scores:
        python = python_for(request.library, request.folder, self.environments)
        found = self._child(request, holdout, python)
        if found.stopped:
            raise type(found.stopped.reason)(str(found.stopped))
        if found.scores is None:
            raise Refused("expected answers to the hold-out, found none")
        return found.scores

    def _kept(self, request: HoldoutRequest, holdout: Holdout) -> Scores | None:
        """None as well when another version of ours kept it in its own way."""
        with contextlib.suppress(Refused):
            scores = Scores.read(self.store.scores_path(request.model, request.holdout))
            return scores if _fits(scores, holdout) else None
        return None

    def _child(
        self, request: HoldoutRequest, holdout: Holdout, python: Path | None, examined: bool = False
    ) -> Examined:
        message = ScoringRequest(
            inputs=self.config.inputs, rows=_tuples(holdout.rows), edges=_tuples(holdout.edges), examined=examined
        )
        with self.store.staging() as results:
            path = results / "request.json"
            path.write_text(json.dumps(message.model_dump(mode="json")))
            arguments = [request.library, str(request.folder), str(path), str(results)]
            found = _found(results, holdout, self._stopped(python or Path(sys.executable), arguments, results))
        if found.scores and found.edges:
            found.scores.write(self.store.scores_path(request.model, request.holdout))
        return found

    def _stopped(self, python: Path, arguments: list[str], results: Path) -> Stopped | None:
        try:
            run_limited(python, ["-m", "services.delivery.scoring.child", *arguments], self.limits)
        except Refused as refused:
            return Stopped(_phase(results), refused)
        if (phase := _phase(results)) is Phase.DONE:
            return None
        return Stopped(phase, Refused("expected a model that answers, found one that ends the process"))


def _phase(results: Path) -> Phase:
    """The last that was begun; a model may write there as well."""
    with contextlib.suppress(OSError, KeyError, UnicodeDecodeError):
        return Phase[(results / PHASE_FILE).read_text()]
    return Phase.LOADING


def _found(results: Path, holdout: Holdout, stopped: Stopped | None) -> Examined:
    try:
        return _read(results, holdout, stopped)
    except Refused as refused:
        return Examined(stopped=stopped or Stopped(_phase(results), refused))


def _read(results: Path, holdout: Holdout, stopped: Stopped | None) -> Examined:
    """Raises Refused for answers that are not as many as rows."""
    done = stopped is None
    scores, edges = _of(Scores, results / ANSWERS_FILE, done), _of(EdgeAnswers, results / EDGES_FILE, done)
    if scores and edges:
        scores = scores.model_copy(update={"edges": edges.predictions})
        if not _fits(scores, holdout):
            raise Refused(f"expected {len(holdout.rows)} predictions, found {len(scores.predictions)}")
    graph = results / names.ONNX_FILE
    return Examined(
        scores=scores,
        edges=edges,
        stability=_of(Stability, results / STABILITY_FILE),
        footprint=_of(Footprint, results / FOOTPRINT_FILE),
        forms=_of(Forms, results / FORMS_FILE),
        graph=graph.read_bytes() if graph.is_file() else None,
        stopped=stopped,
    )


def _of(shape: type[_Found], path: Path, needed: bool = False) -> _Found | None:
    return shape.read(path) if needed or path.is_file() else None


def _tuples(rows: list[Row]) -> Rows:
    return tuple(map(tuple, rows))


def _fits(scores: Scores, holdout: Holdout) -> bool:
    return len(scores.predictions) == len(holdout.rows) and len(scores.edges) == len(holdout.edges)
