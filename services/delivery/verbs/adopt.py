"""adopt: make a run that other code logged promotable, with what can be verified of it."""

import getpass
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
import yaml

from services.contract import names
from services.contract.candidate import DataDigest, DataSchema, Provenance
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.record import ModelId, ModelName, Record, RunId
from services.contract.task import TARGETS
from services.contract.verdict import Verdict
from services.delivery.clients.registry import Registry, Run, model_id
from services.delivery.gates.custody import signature_check
from services.delivery.output import emit, say
from services.delivery.scoring.canonical import canonical_holdout
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.fetch import library_of
from services.delivery.verbs.promote import refuse_unready
from services.delivery.verdicts.validating import measured

_NEVER_KNOWN = ("training data", "the files that it was made of", "library versions", "environment", "machine")
_SKOPS = "model.skops"


class Adopted(Record):
    """What was verified and recorded; `not_recorded` is what nobody can tell any more."""

    model: ModelName
    run_id: RunId
    model_id: ModelId
    model_digest: str
    holdout: DataDigest
    metrics: dict[str, float]
    not_recorded: tuple[str, ...]


def adopt(
    run: Annotated[str, typer.Argument(help="The run's id, 32 hex digits.")],
    model: Annotated[str, typer.Option(help="The model that the run is of, which is also the experiment's name.")],
    holdout: Annotated[Path, typer.Option(help="CSV of the hold-out: the declared columns and the target.")],
) -> None:
    """Ask a model that other code logged the hold-out, and record what the gates need; prints what was recorded.

    What went into the run and was not recorded then stays 'not recorded' in every trace.

    Example: trackback adopt 0123456789abcdef0123456789abcdef --model diamond-price --holdout holdout.csv
    """
    settings = Settings()
    done = adopted(settings, load_model_config(settings.models, model), run, holdout)
    for missing in done.not_recorded:
        say(f"not recorded: {missing}")
    say("note: the gate 'leakage' stays inconclusive for this run: nobody recorded which rows it was trained on")
    say(f"adopted run {run[:8]}: `trackback promote {model} --run {run} --reason …` takes it to the gates")
    emit(done)


def adopted(settings: Settings, config: ModelConfig, run_id: str, holdout: Path) -> Adopted:
    """Raises Refused, and nothing is written, when the run cannot be promoted or its model cannot be asked."""
    if not names.RUN_ID.fullmatch(run_id):
        raise Refused(f"expected a run id of 32 hex digits, found '{run_id}': copy it from the run's page in MLflow")
    content = canonical_holdout(holdout, config)
    digest = DataDigest(sha256=sha256(content).hexdigest(), rows=content.count(b"\n") - 1, source=holdout.name)
    if digest.sha256 != config.data.holdout_sha256:
        say(
            f"note: this hold-out ({digest.sha256}) is not the one pinned in {config.name}/model.yaml, so validate "
            "will refuse the run: give the file data/holdout.csv of a run of `trackback train`"
        )
    with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization) as registry:
        run = registry.run(run_id)
        refuse_unready(registry, run, config.name)
        _refuse_known(run)
        model = _Asked(Scorer.of(settings, config), registry, str(model_id(run))).on(content, digest)
        _record(registry, run, model, content, Provenance(holdout=digest, data_schema=_schema(config)))
    return Adopted(
        model=config.name,
        run_id=run_id,
        model_id=model.model_id,
        model_digest=model.digest,
        holdout=digest,
        metrics=model.metrics,
        not_recorded=_not_recorded(run),
    )


def _refuse_known(run: Run) -> None:
    if {names.PROVENANCE_TAG, names.LIBRARIES_TAG} & run.data.tags.keys() and names.ADOPTED_TAG not in run.data.tags:
        raise Refused(f"expected a run that other code logged, found {run.info.run_id} complete: promote it as it is")


def _schema(config: ModelConfig) -> DataSchema:
    data = config.data
    return DataSchema(
        columns=dict(data.columns),
        optional=data.optional,
        target=data.target,
        target_type=TARGETS[config.task],
        split_by=data.split_by,
        split_by_time=data.split_by_time,
        holdout_percent=data.holdout_percent,
    )


@dataclass(frozen=True)
class _Model:
    """A model of the store, with its metrics on the hold-out."""

    model_id: str
    digest: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class _Asked:
    scorer: Scorer
    registry: Registry
    model_id: str

    def on(self, content: bytes, holdout: DataDigest) -> _Model:
        """Asks the model in the limited child. Raises Refused when it may not be loaded or has no answer."""
        store = self.scorer.store
        with store.staging() as staging:
            folder = self.registry.download_model(self.model_id, staging / "model")
            library = library_of(folder)
            _refuse_unservable(folder, library, self.scorer.config)
            (staging / "holdout.csv").write_bytes(content)
            store.put_holdout(staging / "holdout.csv", holdout.sha256)
            digest = store.put_model(folder)
        return _Model(self.model_id, digest, self._metrics(store, library, digest, holdout))

    def _metrics(self, store: Store, library: str, digest: str, holdout: DataDigest) -> dict[str, float]:
        rows = self.scorer.holdout(holdout.sha256)
        scores = self.scorer.score(HoldoutRequest(library, store.model(digest), digest, holdout.sha256), rows)
        if found := measured(self.scorer.config.task, scores, rows):
            return found
        raise Refused(
            f"expected a finite answer to each of {len(rows.rows)} hold-out rows, found {len(scores.finite)}: the "
            "model must take the declared columns in their order"
        )


def _refuse_unservable(folder: Path, library: str, config: ModelConfig) -> None:
    if library != config.library:
        raise Refused(f"expected a model of the library {config.library} as model.yaml says, found {library}")
    if library == "sklearn" and not (folder / _SKOPS).is_file():
        found = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]["sklearn"]
        raise Refused(
            f"expected a model logged as skops, found {found.get('serialization_format', 'a pickle')}, which runs code "
            "when it is loaded: log it again with mlflow.sklearn.log_model(…, serialization_format='skops')"
        )
    check = signature_check(folder, config)
    if check.verdict is not Verdict.PASS:
        raise Refused(
            f"expected the signature {check.expected} as model.yaml declares, found {check.found}: log the model again "
            "with this signature, or declare the columns as they are"
        )


def _record(registry: Registry, run: Run, model: _Model, holdout: bytes, provenance: Provenance) -> None:
    """The tags last: with them, fetch takes the run."""
    content, digest = provenance.to_json().encode(), provenance.holdout
    registry.upload_artifact(run, names.HOLDOUT_ARTIFACT, holdout)
    registry.upload_artifact(run, names.PROVENANCE_ARTIFACT, content)
    # What the run says already stays as it is.
    told = {name: value for name, value in model.metrics.items() if name not in run.data.metrics}
    registry.log_metrics(run.info.run_id, model.model_id, told)
    registry.set_tags(
        run.info.run_id,
        {
            names.HOLDOUT_TAG: f"{digest.rows} rows of {digest.source}, {digest.sha256[:12]}",
            names.MODEL_DIGEST_TAG: model.digest,
            names.ADOPTED_TAG: f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC by {getpass.getuser()}",
            names.PROVENANCE_TAG: sha256(content).hexdigest(),
        },
    )


def _not_recorded(run: Run) -> tuple[str, ...]:
    commit = () if names.GIT_COMMIT_TAG in run.data.tags else ("git commit",)
    return (*_NEVER_KNOWN, *commit, *(() if run.data.params else ("parameters",)))
