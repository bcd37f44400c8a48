"""MLflow as the verbs see it; the only module of delivery that knows MLflow's client."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from services.contract import names
from services.contract.candidate import DataDigest, DataSchema, Environment, Machine, RunFacts, SourcesDigest
from services.contract.digest import digest_directory
from services.contract.errors import Refused, disk_problem, reason
from services.contract.promotion import TagValue
from services.contract.record import Record

__all__ = ["Registry", "Run", "check_model_digest", "model_id", "run_facts"]


Shape = TypeVar("Shape", bound=Record)


class Registry:
    """Runs, their files and the champion alias. Every method raises Refused when MLflow says no."""

    def __init__(self, tracking_uri: str) -> None:
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
        # The server would name its object store as it reaches it itself, which no client outside its network does.
        os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"] = "false"
        # About a minute, in which a server that was killed is back; MLflow's own 7 are four minutes of silence.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(tracking_uri)
        self._uri = tracking_uri
        self._client = MlflowClient(tracking_uri)

    def run(self, run_id: str) -> Run:
        with self._expecting(f"the run {run_id}"):
            return self._client.get_run(run_id)

    def experiment_name(self, run: Run) -> str:
        with self._expecting(f"the experiment of run {run.info.run_id}"):
            return str(self._client.get_experiment(run.info.experiment_id).name)

    def highest_sequence(self, experiment_id: str, tag: str) -> int:
        """The highest number that `trackback promote` wrote in this experiment; 0 when none."""
        with self._expecting(f"the promoted runs of experiment {experiment_id}"):
            values = [TagValue.parse(run.data.tags[tag]) for run in self._tagged(experiment_id, tag)]
        return max((value.sequence for value in values if value), default=0)

    def _tagged(self, experiment_id: str, tag: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs(
                [experiment_id], f"tags.`{tag}` != ''", ViewType.ACTIVE_ONLY, max_results=200, page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        with self._expecting(f"to write tags on run {run_id}"):
            for key, value in tags.items():
                self._client.set_tag(run_id, key, value)

    def download_model(self, model_id: str, folder: Path) -> Path:
        return self._download(f"models:/{model_id}", folder)

    def download_artifact(self, run_id: str, path: str, folder: Path) -> Path:
        return self._download(f"runs:/{run_id}/{path}", folder)

    def _download(self, uri: str, folder: Path) -> Path:
        with self._expecting(f"{uri} in the artifact store"), writing(folder, uri):
            folder.mkdir(parents=True, exist_ok=True)
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))

    def crown(self, model: str, run_id: str, model_id: str) -> int:
        """Moves the alias `champion` of the registered model to this model; gives the version's number."""
        with self._expecting(f"to move the alias '{names.CHAMPION_ALIAS}' of {model}"):
            version = self._version(model, run_id, model_id)
            self._client.set_registered_model_alias(model, names.CHAMPION_ALIAS, str(version))
        return version

    def _version(self, model: str, run_id: str, model_id: str) -> int:
        source = f"models:/{model_id}"
        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        for known in self._client.search_model_versions(f"name='{model}' and run_id='{run_id}'"):
            if known.source == source:  # MLflow 3.17 leaves a version's model_id out of its answers
                return int(known.version)
        created = self._client.create_model_version(model, source, run_id, model_id=model_id)
        return int(created.version)

    @contextmanager
    def _expecting(self, what: str) -> Iterator[None]:
        try:
            yield
        except (MlflowException, OSError) as error:
            raise Refused(f"expected {what} in MLflow at {self._uri}, found: {reason(error)}") from error


@contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """Raises Refused, naming the disk, when it is the disk that cannot take `what`."""
    try:
        yield
    except (MlflowException, OSError) as error:
        if problem := disk_problem(error):
            raise Refused(f"expected to write {what} into {folder}, found: {problem}: make room there") from error
        raise


def model_id(run: Run) -> str | None:
    """The id of the run's logged model, None when it has none."""
    outputs = run.outputs.model_outputs if run.outputs else []
    return str(outputs[-1].model_id) if outputs else None


def run_facts(run: Run) -> RunFacts:
    """Raises Refused, naming the tag that a run lacks."""
    tags = run.data.tags
    dirty = tags.get(names.GIT_DIRTY_TAG)
    return RunFacts(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment_id=run.info.experiment_id,
        user=tags.get("mlflow.user", "unknown"),
        started_at=_time(run.info.start_time),
        ended_at=_time(run.info.end_time),
        git_commit=tags.get(names.GIT_COMMIT_TAG),
        git_dirty=None if dirty is None else dirty == "true",
        libraries=json.loads(_tag(run, names.LIBRARIES_TAG)),
        parameters=run.data.params,
        metrics=run.data.metrics,
        training=_record(run, names.TRAINING_DATA_TAG, DataDigest),
        holdout=_record(run, names.HOLDOUT_TAG, DataDigest),
        data_schema=_record(run, names.SCHEMA_TAG, DataSchema),
        sources=_record(run, names.SOURCES_TAG, SourcesDigest),
        environment=_record(run, names.ENVIRONMENT_TAG, Environment),
        machine=_record(run, names.MACHINE_TAG, Machine),
    )


def check_model_digest(run: Run, folder: Path) -> str:
    """Raises Refused unless the files are those that the training job logged."""
    expected, found = _tag(run, names.MODEL_DIGEST_TAG), digest_directory(folder)
    if found != expected:
        raise Refused(
            f"expected the model that run {run.info.run_id} logged (digest {expected[:12]}…), found {found[:12]}…: "
            "its files were changed in the artifact store; train and promote again"
        )
    return found


def _record(run: Run, tag: str, shape: type[Shape]) -> Shape:
    return shape.from_json(_tag(run, tag), tag)


def _tag(run: Run, name: str) -> str:
    if name not in run.data.tags:
        raise Refused(f"expected the tag {name} on run {run.info.run_id}, found none: log runs with `trackback train`")
    return str(run.data.tags[name])


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
