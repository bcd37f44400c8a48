"""Writes a release's folder: the model as MLflow stored it, the form that serves it, golden answers and manifest."""

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.distribution import distribution_of
from services.contract.model_config import ModelConfig
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Form, Golden, Manifest, Servable
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores

GOLDEN_ROWS = 64
# Another machine's arithmetic may round its last digits otherwise.
GOLDEN_TOLERANCE = 1e-9
Verdicts = tuple[Validation, Comparison]


@dataclass(frozen=True)
class ReleaseFolder:
    """`model` is the folder of MLflow's, `graph` what the form of ONNX is, None without one."""

    config: ModelConfig
    candidate: Candidate
    model: Path
    holdout: Holdout
    scores: Scores
    graph: bytes | None

    def copy_model(self, folder: Path) -> None:
        shutil.copytree(self.model, folder / names.MODEL_FOLDER)

    def write(self, folder: Path, servable: Servable, verdicts: Verdicts) -> Path:
        """Everything but the model, in place of what an earlier form needed."""
        shutil.rmtree(folder / names.SERVABLE_FOLDER, ignore_errors=True)
        if servable.form and self.graph is not None and servable.form.file.startswith(f"{names.SERVABLE_FOLDER}/"):
            (folder / names.SERVABLE_FOLDER).mkdir()
            (folder / servable.form.file).write_bytes(self.graph)
        golden = self._golden(servable.form).to_json().encode()
        (folder / names.GOLDEN_FILE).write_bytes(golden)
        self._manifest(servable, hashlib.sha256(golden).hexdigest(), verdicts).write(folder / names.MANIFEST_FILE)
        return folder

    def draft(self, folder: Path, servable: Servable) -> Path:
        """A release that can be asked before there is a verdict on it."""
        return self.write(folder, servable, self._no_verdicts())

    def _golden(self, form: Form | None) -> Golden:
        """Rows at the edge, and hold-out rows spread evenly over the file, with the library's own answers."""
        edges = zip(self.holdout.edges, self.scores.finite_edges, strict=True)
        chosen = [(row, answer) for row, answer in edges if answer is not None][: GOLDEN_ROWS // 2]
        known, left = self._known, GOLDEN_ROWS - len(chosen)
        chosen += [(self.holdout.rows[place], known[place]) for place in spread(list(known), left)]
        return Golden(
            columns=tuple(self.config.data.columns),
            rows=tuple(tuple(map(_or_null, row)) for row, _ in chosen),
            predictions=tuple(answer for _, answer in chosen),
            tolerance=max(GOLDEN_TOLERANCE, form.tolerance if form else 0.0),
        )

    @property
    def _known(self) -> dict[int, Prediction]:
        """The answers by their places; of a classifier those with the probabilities of all classes."""
        answers = dict(enumerate(self.scores.finite))
        return {
            place: one for place, one in answers.items() if isinstance(one, Labelled) and one.probabilities
        } or answers

    def _manifest(self, servable: Servable, golden: str, verdicts: Verdicts) -> Manifest:
        config, candidate = self.config, self.candidate
        validation, comparison = verdicts
        return Manifest(
            model=config.name,
            revision=candidate.promotion.label,
            description=config.description,
            library=candidate.library,
            task=config.task,
            unit=config.data.unit,
            servable=servable,
            inputs=config.inputs,
            classes=self.scores.classes,
            answers=distribution_of(config.task, self.scores.finite),
            limits=config.serving,
            rollout=config.rollout,
            golden=golden,
            candidate=candidate,
            validation=validation.without_moments(),
            comparison=comparison.without_moments(),
        )

    def _no_verdicts(self) -> Verdicts:
        of = {
            "model": self.config.name,
            "revision": self.candidate.promotion.label,
            "candidate": self.candidate.digest,
            "holdout": self.candidate.run.holdout,
            "verdict": Verdict.INCONCLUSIVE,
        }
        gate = self.config.gates.compare
        rule = {"metric": gate.metric, "confidence": gate.confidence, "margin": gate.margin}
        nothing = dict.fromkeys(("live", "live_value", "difference", "interval", "allowed"))
        return (
            Validation.model_validate({**of, "checks": (), "metrics": {}, "latency_ms": {}}),
            Comparison.model_validate({**of, **rule, **nothing, "candidate_value": 0.0, "summary": "not compared"}),
        )


def spread(places: Sequence[int], most: int) -> Sequence[int]:
    return places[:: max(1, len(places) // most)][:most]


def _or_null(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
