"""Runs, artifacts and model versions in MLflow. MLflow's own client is imported only for stores like `s3://`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from services.contract import names
from services.contract.candidate import Provenance, RunFacts
from services.contract.digest import digest_directory
from services.contract.errors import Refused, disk_problem
from services.contract.promotion import TagValue
from services.contract.provenance import read_provenance, tag
from services.delivery.clients.mlflow_http import SECONDS, SERVED, MlflowError, MlflowHttp
from services.delivery.clients.model_versions import ModelVersions
from services.delivery.clients.run import Run

__all__ = ["Registry", "Run", "check_model_digest", "model_id", "run_facts"]

PATIENCE = 60.0  # seconds that a pipeline waits for an MLflow that is being restarted
# No facts of the run: what its machine did, and what a delivery measured later.
_OF_OTHERS = (names.SYSTEM_METRICS, names.HOLDOUT_METRICS)
# MLflow's client leaves this file in what it downloads, so the digest that a training job logs counts it.
_META_FILE, _NOT_REGISTERED = "registered_model_meta", "model_name: null\nmodel_version: null\n"


class Registry:
    """Runs, their files and the versions of models. Every method raises Refused when MLflow says no."""

    def __init__(
        self,
        tracking_uri: str,
        authorization: str | None = None,
        patience: float = 0,
        seconds: float = SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._uri = tracking_uri
        self._mlflow = MlflowHttp(tracking_uri, authorization, patience=patience, seconds=seconds, transport=transport)
        self.versions = ModelVersions(self._mlflow)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._mlflow.close()

    def run(self, run_id: str) -> Run:
        with self._mlflow.expecting(f"the run {run_id}"):
            return Run.of(self._mlflow.get("runs/get", run_id=run_id)["run"])

    def experiment_name(self, run: Run) -> str:
        with self._mlflow.expecting(f"the experiment of run {run.info.run_id}"):
            found = self._mlflow.get("experiments/get", experiment_id=run.info.experiment_id)
            return str(found["experiment"]["name"])

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        with self._mlflow.expecting(f"the experiment {experiment_id}"):
            found = self._mlflow.get("experiments/get", experiment_id=experiment_id)["experiment"]
            # MLflow leaves the list out when it is empty, and the value when that is.
            return {one["key"]: str(one.get("value", "")) for one in found.get("tags", [])}

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        with self._mlflow.expecting(f"to write a tag on experiment {experiment_id}"):
            self._mlflow.post("experiments/set-experiment-tag", experiment_id=experiment_id, key=key, value=value)

    def highest_sequence(self, experiment_id: str, tag: str) -> int:
        """The highest number that `trackback promote` wrote in this experiment; 0 when none."""
        with self._mlflow.expecting(f"the promoted runs of experiment {experiment_id}"):
            values = [TagValue.parse(run.data.tags[tag]) for run in self._tagged(experiment_id, tag)]
        return max((value.sequence for value in values if value), default=0)

    def _tagged(self, experiment_id: str, tag: str) -> Iterator[Run]:
        wanted = {"experiment_ids": [experiment_id], "filter": f"tags.`{tag}` != ''", "max_results": 200}
        for page in self._mlflow.pages("runs/search", **wanted, run_view_type="ACTIVE_ONLY"):
            yield from map(Run.of, page.get("runs", []))

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """All of them or none."""
        with self._mlflow.expecting(f"to write tags on run {run_id}"):
            listed = [{"key": key, "value": value} for key, value in tags.items()]
            self._mlflow.post("runs/log-batch", run_id=run_id, tags=listed)

    def log_metrics(self, run_id: str, model_id: str | None, metrics: Mapping[str, float]) -> None:
        """On the run and on its logged model, if there is one."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        with self._mlflow.expecting(f"to write metrics on run {run_id}"):
            listed = [
                {"key": key, "value": value, "timestamp": now, "step": 0} | ({"model_id": model_id} if model_id else {})
                for key, value in metrics.items()
            ]
            self._mlflow.post("runs/log-batch", run_id=run_id, metrics=listed)

    def download_model(self, model_id: str, folder: Path) -> Path:
        source = f"models:/{model_id}"
        with self._mlflow.expecting(f"{source} in the artifact store"), writing(folder, source):
            uri = self._mlflow.get(f"logged-models/{model_id}")["model"]["info"]["artifact_uri"]
            if urlsplit(uri).scheme != SERVED:
                return self._download_by_client(source, folder)
            self._mlflow.download_folder(uri, folder)
            (folder / _META_FILE).write_text(_NOT_REGISTERED)
        return folder

    def provenance(self, run: Run, folder: Path) -> Provenance:
        """`folder` is for the file that it is read from. Raises Refused when the run does not say how it came to be."""

        def read(path: str) -> bytes:
            return self.download_artifact(run, path, folder).read_bytes()

        return read_provenance(run.info.run_id, run.data.tags, read)

    def download_artifact(self, run: Run, path: str, folder: Path) -> Path:
        """The one file."""
        source, uri = f"runs:/{run.info.run_id}/{path}", run.info.artifact_uri
        with self._mlflow.expecting(f"{source} in the artifact store"), writing(folder, source):
            if urlsplit(uri).scheme != SERVED:
                return self._download_by_client(source, folder)
            target = folder / PurePosixPath(path).name
            self._mlflow.download_file(f"{uri}/{path}", target)
        return target

    def _download_by_client(self, uri: str, folder: Path) -> Path:
        """From a store that clients ask themselves, such as `s3://…`: MLflow's client knows them all."""
        import mlflow.artifacts  # importing it takes longer than all else that `fetch` does

        folder.mkdir(parents=True, exist_ok=True)
        where = {"dst_path": str(folder), "tracking_uri": self._uri, "registry_uri": self._uri}
        try:
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, **where))
        except Exception as error:  # each store has a library of its own, whose errors have no base in common
            raise MlflowError("the artifact store", str(error)) from error

    def upload_artifact(self, run: Run, path: str, content: bytes) -> None:
        """Raises Refused as well when MLflow does not serve the run's artifacts itself."""
        uri = run.info.artifact_uri
        if urlsplit(uri).scheme != SERVED:
            raise Refused(f"expected MLflow to serve the run's artifacts, found them at {urlsplit(uri).scheme}:")
        with self._mlflow.expecting(f"to write {path} of run {run.info.run_id}"):
            self._mlflow.upload(f"{uri}/{path}", content)

    def set_champion(self, model: str, run_id: str, model_id: str) -> int:
        """Moves the alias `champion` of the registered model to this model; gives the version's number."""
        version = self.versions.of_model(model, run_id, model_id)
        self.versions.set_alias(version, names.CHAMPION_ALIAS)
        return version.number


@contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """Raises Refused, naming the disk, when it is the disk that cannot take `what`."""
    try:
        yield
    except (MlflowError, OSError) as error:
        if problem := disk_problem(error):
            raise Refused(f"expected to write {what} into {folder}, found: {problem}: make room there") from error
        raise


def model_id(run: Run) -> str | None:
    """The id of the run's logged model, None when it has none."""
    return run.model_ids[-1] if run.model_ids else None


def run_facts(run: Run, provenance: Provenance) -> RunFacts:
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
        parameters=run.data.params,
        metrics={name: value for name, value in run.data.metrics.items() if not name.startswith(_OF_OTHERS)},
        **dict(provenance),
    )


def check_model_digest(run: Run, folder: Path) -> str:
    """Raises Refused unless the files are those that the training job logged."""
    expected = tag(run.info.run_id, run.data.tags, names.MODEL_DIGEST_TAG)
    found = digest_directory(folder)
    if found != expected:
        raise Refused(
            f"expected the model that run {run.info.run_id} logged (digest {expected[:12]}…), found {found[:12]}…: "
            "its files were changed in the artifact store; train and promote again"
        )
    return found


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
