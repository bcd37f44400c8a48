"""One training job: data, fit, metrics, and an MLflow run that holds everything that went into it."""

import importlib.util
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import numpy
import pandas

from services.contract import names
from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.metrics import regression_metrics
from services.contract.model_config import ModelConfig, Parameter, load_model_config
from services.contract.record import ModelId, ModelName, Record, RunId
from training import provenance
from training.dataset import Dataset, Part, read_csv, split
from training.flavors import sklearn as flavor


class TrainedRun(Record):
    """What `trackback train` prints."""

    model: ModelName
    variant: str
    run_id: RunId
    model_id: ModelId
    metrics: dict[str, float]
    training_sha256: str
    holdout_sha256: str


@dataclass(frozen=True)
class Order:
    """What is asked of a job; `csv` replaces the model's own data, `shuffle_labels` plants a bad model."""

    models: Path
    model: str
    variant: str | None
    csv: Path | None
    shuffle_labels: bool


def train(order: Order, say: Callable[[str], None]) -> TrainedRun:
    """Raises Refused before anything is logged when model, variant or data are wrong."""
    config = load_model_config(order.models, order.model)
    variant, chosen = _variant(config, order.variant)
    folder = order.models / config.name
    dataset = _load(config, folder, order.csv)
    say(f"{config.name}: {dataset.training.digest.rows} rows to train on, {dataset.holdout.digest.rows} held out")
    if dataset.holdout.digest.sha256 != config.data.holdout_sha256:
        say(_other_exam(config, dataset.holdout.digest.sha256))
    target = dataset.training.target
    if order.shuffle_labels:
        target = pandas.Series(numpy.random.default_rng(0).permutation(target), index=target.index)
    estimator = _module(folder, "train").build(**chosen).fit(dataset.training.inputs, target)
    metrics = regression_metrics(dataset.holdout.target, flavor.predict(estimator, dataset.holdout.inputs))
    say("hold-out " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    logged = _Log(config, folder, dataset, variant, {**chosen, "labels.shuffled": order.shuffle_labels})
    return logged.write(estimator, metrics)


def _variant(config: ModelConfig, asked: str | None) -> tuple[str, dict[str, Parameter]]:
    name = asked or next(iter(config.variants))
    if name not in config.variants:
        raise Refused(f"expected a variant of {config.name} ({', '.join(config.variants)}), found '{name}'")
    return name, config.variants[name]


def _load(config: ModelConfig, folder: Path, csv: Path | None) -> Dataset:
    if csv is None:
        return split(_module(folder, "data").load(), config.data, config.data.source)
    return split(read_csv(csv, config.data), config.data, csv.name)


def _module(folder: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{folder.name}.{name}", folder / f"{name}.py")
    if spec is None or spec.loader is None or not (folder / f"{name}.py").is_file():
        raise Refused(f"expected {folder / name}.py, found none: docs/bring-your-own-model.md shows what it holds")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _other_exam(config: ModelConfig, found: str) -> str:
    return (
        f"note: this hold-out ({found}) is not the exam pinned in {config.name}/model.yaml, so validate will refuse "
        "the run; to make it the exam, commit it there as data.holdout_sha256"
    )


def _stored_digest(model_id: str) -> str:
    """Of the model as the artifact store has it, because logging adds to its files."""
    with tempfile.TemporaryDirectory() as temporary:
        return digest_directory(Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=temporary)))


@dataclass(frozen=True)
class _Log:
    config: ModelConfig
    folder: Path
    dataset: Dataset
    variant: str
    parameters: dict[str, Any]

    def write(self, estimator: Any, metrics: dict[str, float]) -> TrainedRun:
        mlflow.set_experiment(self.config.name)
        with mlflow.start_run(run_name=self.variant, tags=self._tags()) as run:
            mlflow.log_params({"variant": self.variant, **self.parameters, **flavor.parameters(estimator)})
            mlflow.log_metrics(metrics)
            self._log_data(self.dataset.holdout)
            mlflow.log_artifacts(str(self.folder), "code")
            example = self.dataset.holdout.inputs.head(5)
            model_id = flavor.log_model(estimator, example, provenance.library_versions(flavor.LIBRARIES))
            mlflow.set_tag(names.MODEL_DIGEST_TAG, _stored_digest(model_id))
        return TrainedRun(
            model=self.config.name,
            variant=self.variant,
            run_id=run.info.run_id,
            model_id=model_id,
            metrics=metrics,
            training_sha256=self.dataset.training.digest.sha256,
            holdout_sha256=self.dataset.holdout.digest.sha256,
        )

    def _tags(self) -> dict[str, str]:
        return {
            **provenance.code_tags(self.folder),
            names.TRAINING_DATA_TAG: self.dataset.training.digest.model_dump_json(),
            names.HOLDOUT_TAG: self.dataset.holdout.digest.model_dump_json(),
            names.LIBRARIES_TAG: json.dumps(provenance.library_versions(flavor.LIBRARIES)),
        }

    def _log_data(self, holdout: Part) -> None:
        folder, _, name = names.HOLDOUT_ARTIFACT.rpartition("/")
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / name
            file.write_bytes(holdout.csv)
            mlflow.log_artifact(str(file), folder)
