"""What a window is held against: the hold-out of the release with the model's answers to it, or what is left of both.

The hold-out is in the store by its digest since `fetch`; where it is not, MLflow has it as an artifact of the run.
Where neither has it, the release itself records how its answers to the hold-out were spread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.contract import names
from services.contract.distribution import Distribution
from services.contract.errors import Refused, reason
from services.contract.model_config import ModelConfig
from services.contract.monitoring import Reference
from services.contract.prediction import Prediction
from services.contract.record import Sha256
from services.contract.release import Manifest
from services.delivery.scoring.holdout import Holdout, read_holdout
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.store import Store

# Brings a hold-out into the store. Raises Refused when it cannot be had.
FetchHoldout = Callable[[Manifest], None]


@dataclass(frozen=True)
class Known:
    """`holdout` and `answers` are None where they cannot be had, for which `notes` have the reasons; `recorded` is the
    release's own record of its answers."""

    manifest: Manifest
    config: ModelConfig
    holdout: Holdout | None
    answers: Sequence[Prediction] | None
    notes: tuple[str, ...]

    @property
    def recorded(self) -> Distribution | None:
        return self.manifest.answers

    @property
    def rows(self) -> list[list[Any]] | None:
        return self.holdout.rows if self.holdout else None

    @property
    def reference(self) -> Reference:
        """Raises Refused where nothing is left of the hold-out."""
        holdout = self.manifest.candidate.run.holdout
        if self.holdout:
            return Reference(kind="hold-out", rows=len(self.holdout.rows), sha256=holdout.sha256)
        if self.recorded:
            return Reference(kind="recorded answers", rows=self.recorded.rows, sha256=holdout.sha256)
        raise Refused(f"expected the hold-out or a release that records its answers, found neither: {self.notes[0]}")


def known(scorer: Scorer, release: Sha256, fetch: FetchHoldout) -> Known:
    """Asks the model itself where its answers to the hold-out are not kept. Raises Refused when the release is not in
    the store."""
    manifest = Manifest.read(scorer.store.release(release) / names.MANIFEST_FILE)
    config = as_trained(scorer.config, manifest)
    try:
        holdout = _holdout(scorer.store, manifest, config, fetch)
    except (Refused, OSError) as error:
        said = f"inputs are not compared, because the hold-out cannot be had: {reason(error)}"
        return Known(manifest, config, None, None, (said,))
    try:
        answers = _answers(scorer, config, release, manifest, holdout)
    except (Refused, OSError) as error:
        why = f"because the model cannot be asked: {reason(error)}"
        said = f"answers are held against those that the release records, {why}"
        return Known(manifest, config, holdout, None, (said,))
    return Known(manifest, config, holdout, answers, ())


def as_trained(config: ModelConfig, manifest: Manifest) -> ModelConfig:
    """With the columns that the release was trained with, whatever model.yaml says by now."""
    columns = {column.name: column.type for column in manifest.inputs}
    optional = tuple(column.name for column in manifest.inputs if not column.required)
    target = manifest.candidate.run.data_schema.target
    data = config.data.model_copy(update={"columns": columns, "optional": optional, "target": target})
    return config.model_copy(update={"data": data, "task": manifest.task})


def _holdout(store: Store, manifest: Manifest, config: ModelConfig, fetch: FetchHoldout) -> Holdout:
    sha256 = manifest.candidate.run.holdout.sha256
    try:
        file = store.holdout(sha256)
    except Refused:
        fetch(manifest)
        file = store.holdout(sha256)
    return read_holdout(file, config)


def _answers(
    scorer: Scorer, config: ModelConfig, release: Sha256, manifest: Manifest, holdout: Holdout
) -> list[Prediction]:
    """Raises Refused where a row has none."""
    candidate = manifest.candidate
    folder = scorer.store.release(release) / names.MODEL_FOLDER
    request = HoldoutRequest(candidate.library, folder, candidate.digest, candidate.run.holdout.sha256)
    scores = Scorer(scorer.store, scorer.environments, config, scorer.train_py).score(request, holdout)
    if (bad := len(holdout.rows) - len(scores.finite)) > 0:
        raise Refused(f"expected a finite answer to every row of the hold-out, found {bad} without")
    return scores.finite
