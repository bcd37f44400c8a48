"""`trackback verify-data`: rebuilds a run's data, compares every file and both digests with what the run recorded."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Run

from services.contract import names
from services.contract.candidate import DataDigest, DataSchema, Provenance, Sources, SourcesDigest
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.provenance import read_provenance
from services.contract.record import ModelName, Record, RunId
from training.dataset import schema
from training.library_environment import enter, enter_own
from training.logged_run import Say
from training.rows import load_rows
from training.sources import file_sources, in_short, other_files, other_versions, package_sources
from training.tracking import expecting


class VerifiedData(Record):
    """What `trackback verify-data` prints when everything is as the run recorded it."""

    run_id: RunId
    model: ModelName
    sources: SourcesDigest
    training: DataDigest
    holdout: DataDigest


@dataclass(frozen=True)
class VerifyRequest:
    """A run to verify. `csv` is the file that it was trained with, None when it was the model's own data.

    `environments` is the folder of those that libraries have of their own.
    """

    models: Path
    run_id: str
    csv: Path | None
    environments: Path


def verify(request: VerifyRequest, say: Say) -> VerifiedData | list[str]:
    """What was verified, or a line for each thing that is not as the run recorded it.

    Raises Refused for a run that is unknown or that cannot be compared.
    """
    run, model = find(request.run_id)
    config = load_model_config(request.models, model)
    enter_own(config.library, request.models / model, request.environments)
    if request.csv:
        enter(config.library, request.environments)
    provenance = recorded_provenance(run)
    recorded = _recorded_sources(run, provenance.sources)
    say(f"comparing the files of {request.csv or config.data.source}")
    found = _sources(request, config, recorded)
    versions = other_versions(recorded, found)
    # Files that differ explain rows that differ.
    if problems := other_files(recorded, found) + _other_schema(provenance.data_schema, config):
        return versions + problems
    say("rebuilding training set and hold-out")
    dataset = load_rows(config, request.models / model, request.csv).dataset
    problems = _other_rows(names.TRAINING_DATA_TAG, provenance.training, dataset.training.digest)
    problems += _other_rows(names.HOLDOUT_TAG, provenance.holdout, dataset.holdout.digest)
    return versions + problems or VerifiedData(
        run_id=request.run_id,
        model=model,
        sources=in_short(found),
        training=dataset.training.digest,
        holdout=dataset.holdout.digest,
    )


def find(run_id: str) -> tuple[Run, str]:
    """The run and the model that it is of, which is its experiment's name."""
    with expecting(f"the run {run_id}"):
        run = mlflow.get_run(run_id)
        return run, mlflow.get_experiment(run.info.experiment_id).name


def recorded_provenance(run: Run) -> Provenance:
    """Raises Refused when the run does not say how it came to be."""
    return read_provenance(run.info.run_id, run.data.tags, lambda path: _artifact(run, path))


def _artifact(run: Run, path: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, expecting(f"{path} of run {run.info.run_id}"):
        uri = f"runs:/{run.info.run_id}/{path}"
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)).read_bytes()


def _recorded_sources(run: Run, expected: SourcesDigest | None) -> Sources:
    """Raises Refused unless the list of files is the one whose digest the run recorded."""
    if expected is None:
        raise Refused(
            f"expected a run that says what files its rows were made from, found run {run.info.run_id} without: "
            "they were not recorded, and only digests of rows are known"
        )
    where = f"{names.SOURCES_ARTIFACT} of run {run.info.run_id}"
    sources = Sources.from_json(_artifact(run, names.SOURCES_ARTIFACT), where)
    if in_short(sources) != expected:
        raise Refused(f"expected {where} as it was logged, found another list: it was changed in the artifact store")
    return sources


def _sources(request: VerifyRequest, config: ModelConfig, recorded: Sources) -> Sources:
    """What is there today. A file that is given by hand may have another name by now."""
    given = recorded.files[0] if recorded.files and not recorded.packages else None
    if given and request.csv:
        return file_sources(request.csv, given.path)
    if given:
        raise Refused(f"expected the file {given.path} that the run was trained with, found none: give it with --data")
    if request.csv:
        raise Refused(f"expected no file, because the run was trained without one, found {request.csv}: omit --data")
    return package_sources(config.data.packages)


def _other_schema(recorded: DataSchema, config: ModelConfig) -> list[str]:
    found = schema(config.data, config.task)
    return [
        f"model.yaml: data.{field}: expected {getattr(recorded, field)!r} as the run recorded, "
        f"found {getattr(found, field)!r}"
        for field in DataSchema.model_fields
        if getattr(recorded, field) != getattr(found, field)
    ]


def _other_rows(what: str, recorded: DataDigest | None, found: DataDigest) -> list[str]:
    if recorded is None or recorded.sha256 == found.sha256:
        return []
    return [
        f"{what}: expected SHA-256 {recorded.sha256} of {recorded.rows} rows as the run recorded, "
        f"found {found.sha256} of {found.rows} rows"
    ]
