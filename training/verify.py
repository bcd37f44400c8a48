"""`trackback verify-data`: rebuilds a run's data, compares every file and both digests with what the run recorded."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Run

from services.contract import names
from services.contract.candidate import DataDigest, DataSchema, Sources, SourcesDigest
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.record import ModelName, Record, RunId
from training.dataset import schema
from training.job import Say
from training.library_environment import enter
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
    run, model = _find(request.run_id)
    config = load_model_config(request.models, model)
    if request.csv:
        enter(config.library, request.environments)
    recorded = _recorded_sources(run)
    say(f"comparing the files of {request.csv or config.data.source}")
    found = _sources(request, config, recorded)
    versions = other_versions(recorded, found)
    # Files that differ explain rows that differ.
    if problems := other_files(recorded, found) + _other_schema(run, config):
        return versions + problems
    say("rebuilding training set and hold-out")
    dataset = load_rows(config, request.models / model, request.csv).dataset
    problems = _other_rows(run, names.TRAINING_DATA_TAG, dataset.training.digest)
    problems += _other_rows(run, names.HOLDOUT_TAG, dataset.holdout.digest)
    return versions + problems or VerifiedData(
        run_id=request.run_id,
        model=model,
        sources=in_short(found),
        training=dataset.training.digest,
        holdout=dataset.holdout.digest,
    )


def _find(run_id: str) -> tuple[Run, str]:
    """The run and the model that it is of, which is its experiment's name."""
    with expecting(f"the run {run_id}"):
        run = mlflow.get_run(run_id)
        return run, mlflow.get_experiment(run.info.experiment_id).name


def _recorded_sources(run: Run) -> Sources:
    """Raises Refused unless the list of files is the one whose digest is in the run's tag."""
    expected = SourcesDigest.from_json(_tag(run, names.SOURCES_TAG), names.SOURCES_TAG)
    where = f"{names.SOURCES_ARTIFACT} of run {run.info.run_id}"
    with tempfile.TemporaryDirectory() as folder, expecting(where):
        uri = f"runs:/{run.info.run_id}/{names.SOURCES_ARTIFACT}"
        file = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        sources = Sources.from_json(Path(file).read_bytes(), where)
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


def _other_schema(run: Run, config: ModelConfig) -> list[str]:
    recorded = DataSchema.from_json(_tag(run, names.SCHEMA_TAG), names.SCHEMA_TAG)
    found = schema(config.data, config.task)
    return [
        f"model.yaml: data.{field}: expected {getattr(recorded, field)!r} as the run recorded, "
        f"found {getattr(found, field)!r}"
        for field in DataSchema.model_fields
        if getattr(recorded, field) != getattr(found, field)
    ]


def _other_rows(run: Run, tag: str, found: DataDigest) -> list[str]:
    recorded = DataDigest.from_json(_tag(run, tag), tag)
    if recorded.sha256 == found.sha256:
        return []
    return [
        f"{tag}: expected SHA-256 {recorded.sha256} of {recorded.rows} rows as the run recorded, "
        f"found {found.sha256} of {found.rows} rows"
    ]


def _tag(run: Run, name: str) -> str:
    if name not in run.data.tags:
        raise Refused(f"expected the tag {name} on run {run.info.run_id}, found none: log runs with `trackback train`")
    return str(run.data.tags[name])
