"""`trackback train`: reads rows, fits a model, measures it on the hold-out and logs all of it as an MLflow run."""

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas

from services.contract import names
from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.metrics import measure
from services.contract.model_config import ModelConfig, Parameter, load_model_config
from services.contract.record import ModelId, ModelName, Record, RunId
from training.curves import curve_metrics
from training.environment import installed
from training.flavors import Flavor, find_flavor
from training.lookalikes import lookalikes
from training.machine import peak_memory_bytes
from training.model_code import find_function, named
from training.provenance import Provenance, library_versions
from training.rows import load_rows
from training.settings import LOCKS
from training.signature import signature
from training.tracking import expecting, logged_run

Say = Callable[[str], None]
_EXAMPLE_ROWS = 5


class TrainedRun(Record):
    """What `trackback train` prints: the run, its metrics on the hold-out, and the SHA-256 of both data sets."""

    model: ModelName
    variant: str
    run_id: RunId
    model_id: ModelId
    metrics: dict[str, float]
    training_sha256: str
    holdout_sha256: str


@dataclass(frozen=True)
class TrainRequest:
    """What to train.

    `models` is the folder of all models, `variant` one of model.yaml (the first if None). `csv` replaces the model's
    own data, `shuffle_labels` trains a bad model on purpose, `master` is the URL of a Spark cluster.
    """

    models: Path
    model: str
    variant: str | None = None
    csv: Path | None = None
    shuffle_labels: bool = False
    master: str | None = None


def train(request: TrainRequest, say: Say) -> TrainedRun:
    """Logs one run. Raises Refused, before anything is logged, when model, variant, master or data are wrong."""
    config = load_model_config(request.models, request.model)
    flavor = find_flavor(config.library)
    if request.master and not flavor.RUNS_ON_A_CLUSTER:
        raise Refused(f"expected no master, found {request.master}: {config.library} trains on this machine only")
    variant, chosen = _variant(config, request.variant)
    folder = request.models / config.name
    plan = _plan(folder, variant, chosen)
    _check(plan, flavor, config, folder)
    say(f"{config.name}: reading {request.csv or config.data.source}")
    rows = load_rows(config, folder, request.csv)
    training, holdout = rows.dataset.training.digest, rows.dataset.holdout.digest
    labels = f", {rows.dataset.training.target.nunique()} labels" if config.task == "classification" else ""
    say(f"{config.name}: {training.rows} rows to train on, {holdout.rows} held out{labels}")
    if holdout.sha256 != config.data.holdout_sha256:
        say(_unpinned_holdout(config, holdout.sha256))
    for note in lookalikes(rows.dataset):
        say(note)
    provenance = Provenance(config, folder, rows, flavor.LIBRARIES, installed(LOCKS))
    return _Job(request, flavor, provenance, variant, chosen, say).run(plan)


def _variant(config: ModelConfig, requested: str | None) -> tuple[str, dict[str, Parameter]]:
    name = requested or next(iter(config.variants))
    if name not in config.variants:
        raise Refused(f"expected a variant of {config.name} ({', '.join(config.variants)}), found '{name}'")
    return name, config.variants[name]


def _plan(folder: Path, variant: str, chosen: dict[str, Parameter]) -> Any:
    build = find_function(folder, "train.py", "build")
    with named(folder / "train.py", f"`build` to take the variant '{variant}' of model.yaml"):
        return build(**chosen)


def _check(plan: Any, flavor: Flavor, config: ModelConfig, folder: Path) -> None:
    try:
        flavor.check(plan, config)
    except Refused as refused:
        raise Refused(f"{folder / 'train.py'}: {refused}") from refused


def _unpinned_holdout(config: ModelConfig, found: str) -> str:
    return (
        f"note: this hold-out ({found}) is not the one pinned in {config.name}/model.yaml, so validate will refuse "
        "the run; to pin it, commit it there as data.holdout_sha256"
    )


def shuffled(target: pandas.Series) -> pandas.Series:
    """The same labels in another order, the same order at every call."""
    order = numpy.random.default_rng(0).permutation(len(target))
    return pandas.Series(target.to_numpy()[order], index=target.index, name=target.name)


def stored_digest(model_id: str) -> str:
    """The digest of the model as the artifact store has it: logging adds files to what the flavor wrote."""
    with tempfile.TemporaryDirectory() as temporary:
        return digest_directory(Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=temporary)))


@dataclass(frozen=True)
class _Job:
    request: TrainRequest
    flavor: Flavor
    provenance: Provenance
    variant: str
    chosen: dict[str, Parameter]
    say: Say

    def run(self, plan: Any) -> TrainedRun:
        name, tags, dataset = self.provenance.config.name, self.provenance.tags(), self.provenance.rows.dataset
        with expecting("to log a run"):
            mlflow.set_experiment(name)
            with logged_run(self.variant, tags) as run:
                model = self._fit(plan)
                metrics = self._evaluate(run.info.run_id, model)
                self._log_artifacts()
                model_id = self._log_model(model)
        self.say(f"logged run {run.info.run_id}")
        return TrainedRun(
            model=name,
            variant=self.variant,
            run_id=run.info.run_id,
            model_id=model_id,
            metrics=metrics,
            training_sha256=dataset.training.digest.sha256,
            holdout_sha256=dataset.holdout.digest.sha256,
        )

    def _fit(self, plan: Any) -> Any:
        self.say(f"fitting '{self.variant}' on {self.request.master or 'this machine'}")
        training = self.provenance.rows.dataset.training
        target = shuffled(training.target) if self.request.shuffle_labels else training.target
        started = time.monotonic()
        with self._named("a plan that can be fitted on these rows"):
            model = self.flavor.fit(plan, training.inputs, target, self.request.master)
        seconds, peak = time.monotonic() - started, float(peak_memory_bytes())
        mlflow.log_metrics({names.SECONDS_METRIC: seconds, names.MEMORY_METRIC: peak})
        mlflow.log_params({**self._requested(), **self.chosen, **self.flavor.parameters(model)})
        return model

    def _named(self, expected: str) -> AbstractContextManager[None]:
        return named(self.provenance.folder / "train.py", expected)

    def _requested(self) -> dict[str, Any]:
        master = {"master": self.request.master} if self.request.master else {}
        return {"variant": self.variant, "labels.shuffled": self.request.shuffle_labels, **master}

    def _evaluate(self, run_id: str, model: Any) -> dict[str, float]:
        self.say("predicting the hold-out")
        holdout = self.provenance.rows.dataset.holdout
        with self._named("a model that answers the hold-out"):
            predictions = self.flavor.predict(model, holdout.inputs)
        metrics = measure(self.provenance.config.task, list(holdout.target), predictions)
        self.say("hold-out " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        mlflow.log_metrics(metrics)
        curves = self.flavor.learning_curves(model, holdout.inputs, holdout.target)
        mlflow.MlflowClient().log_batch(run_id, metrics=curve_metrics(curves))
        return metrics

    def _log_artifacts(self) -> None:
        self.say("logging code, data and environment")
        with tempfile.TemporaryDirectory() as temporary:
            self.provenance.write(Path(temporary))
            mlflow.log_artifacts(temporary)

    def _log_model(self, model: Any) -> str:
        self.say("logging the model")
        versions = library_versions(self.flavor.LIBRARIES)
        example = self.provenance.rows.dataset.holdout.inputs.head(_EXAMPLE_ROWS)
        # Given, because inferring them takes seconds and picks up what happens to be imported.
        requirements = [f"{name}=={versions[name]}" for name in self.flavor.LIBRARIES]
        model_id = self.flavor.log_model(model, signature(self.provenance.config), example, requirements)
        mlflow.set_tag(names.MODEL_DIGEST_TAG, stored_digest(model_id))
        return model_id
