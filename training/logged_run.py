"""An MLflow run while it is being logged: the one job that `trackback train` and a notebook's `trackback.run` do."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import mlflow
from mlflow.environment_variables import MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING

from services.contract import names
from services.contract.candidate import Provenance
from services.contract.digest import digest_directory
from services.contract.metrics import measure
from services.contract.model_config import ModelConfig
from services.contract.prediction import Labelled, Prediction
from services.contract.record import ModelId, ModelName, Record, RunId
from training.bytecode import without_bytecode
from training.curves import curve_metrics
from training.dataset import Dataset
from training.flavors import Flavor
from training.libraries import libraries_of
from training.machine import peak_memory_bytes
from training.mlflow_inputs import inputs, mlflow_dataset
from training.provenance import Ingredients, code_tags, library_versions
from training.signature import signature
from training.tracking import expecting, mlflow_run

Say = Callable[[str], None]
_EXAMPLE_ROWS = 5


class TrainedRun(Record):
    """What a run came to: its metrics on the hold-out, and the SHA-256 of both data sets."""

    model: ModelName
    variant: str
    run_id: RunId
    model_id: ModelId
    metrics: dict[str, float]
    training_sha256: str
    holdout_sha256: str


@contextmanager
def logged_run(config: ModelConfig, flavor: Flavor, variant: str, folder: Path, say: Say) -> Iterator["LoggedRun"]:
    """A run of the model's experiment, which ends with the block: FINISHED, KILLED when it is stopped, or FAILED.

    `folder` is in the checkout whose commit is recorded. Raises Refused for what MLflow refuses.
    """
    # While it logs a model, MLflow walks a set of the variables that any thread reads meanwhile, and the thread that
    # measures the machine reads some: "Set changed size during iteration".
    MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING.set(False)  # type: ignore[no-untyped-call]
    with expecting("to log a run"):
        describe_experiment(mlflow.set_experiment(config.name), config.description)
        with mlflow_run(variant, code_tags(folder)) as run:
            yield LoggedRun(config, flavor, variant, run.info.run_id, say)
    say(f"logged run {run.info.run_id}")


def describe_experiment(experiment: mlflow.entities.Experiment, text: str) -> None:
    """Unless a person has described it already."""
    if not experiment.tags.get(names.NOTE_TAG):
        mlflow.MlflowClient().set_experiment_tag(experiment.experiment_id, names.NOTE_TAG, text)


def unpinned_holdout(config: ModelConfig, found: str) -> str | None:
    """What to say of a hold-out that is not the pinned one."""
    if found == config.data.holdout_sha256:
        return None
    return (
        f"note: this hold-out ({found}) is not the one pinned in {config.name}/model.yaml, so validate will refuse "
        "the run; to pin it, commit it there as data.holdout_sha256"
    )


@dataclass(frozen=True)
class LoggedRun:
    """Logs to the active run."""

    config: ModelConfig
    flavor: Flavor
    variant: str
    run_id: str
    say: Say

    def log_ingredients(self, ingredients: Ingredients) -> None:
        """Code, data and environment, as artifacts, data sets and tags."""
        self.say("logging code, data and environment")
        with tempfile.TemporaryDirectory() as temporary:
            ingredients.write(Path(temporary))
            mlflow.log_artifacts(temporary)
        mlflow.set_tags(ingredients.tags())
        mlflow.MlflowClient().log_inputs(self.run_id, inputs(ingredients.provenance))

    def log_parameters(self, model: Any, chosen: dict[str, Any]) -> None:
        """Those of the fitted model beside the chosen ones, and the peak of this process' memory."""
        mlflow.log_metric(names.MEMORY_METRIC, float(peak_memory_bytes()))
        mlflow.log_params({**chosen, **self.flavor.parameters(model)})

    def predict(self, model: Any, dataset: Dataset) -> Sequence[Prediction]:
        """What the fitted model answers to the hold-out."""
        self.say("predicting the hold-out")
        return self.flavor.predict(model, dataset.holdout.inputs)

    def log_result(
        self, model: Any, predictions: Sequence[Prediction], dataset: Dataset, provenance: Provenance
    ) -> TrainedRun:
        """The fitted model, what `predict` gave as metrics, and its learning curves."""
        holdout = dataset.holdout
        metrics = measure(self.config.task, list(holdout.target), predictions)
        self.say("hold-out " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        curves = self.flavor.learning_curves(model, holdout.inputs, holdout.target)
        mlflow.MlflowClient().log_batch(self.run_id, metrics=curve_metrics(curves))
        model_id = self._log_model(model, dataset)
        mlflow.log_metrics(metrics, model_id=model_id, dataset=mlflow_dataset(holdout.digest, provenance))
        mlflow.set_tags(
            {
                names.MODEL_DIGEST_TAG: stored_digest(model_id),
                names.PREDICTIONS_TAG: predictions_digest(predictions),
                names.NOTE_TAG: self._described(dataset, metrics),
            }
        )
        return TrainedRun(
            model=self.config.name,
            variant=self.variant,
            run_id=self.run_id,
            model_id=model_id,
            metrics=metrics,
            training_sha256=dataset.training.digest.sha256,
            holdout_sha256=holdout.digest.sha256,
        )

    def _log_model(self, model: Any, dataset: Dataset) -> str:
        self.say("logging the model")
        libraries = libraries_of(self.flavor, model)
        versions = library_versions(libraries)
        example = dataset.holdout.inputs.head(_EXAMPLE_ROWS)
        # Given, because inferring them takes seconds and picks up what happens to be imported.
        requirements = [f"{name}=={versions[name]}" for name in libraries]
        with without_bytecode():
            return self.flavor.log_model(model, signature(self.config), example, requirements)

    def _described(self, dataset: Dataset, metrics: dict[str, float]) -> str:
        training, holdout = dataset.training.digest, dataset.holdout.digest
        measured = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        return (
            f"`{self.variant}`, trained on {training.rows} rows of {training.source}; on {holdout.rows} held-out rows: "
            f"{measured}."
        )


def stored_digest(model_id: str) -> str:
    """The digest of the model as the artifact store has it: logging adds files to what the flavor wrote."""
    with tempfile.TemporaryDirectory() as temporary:
        return digest_directory(Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=temporary)))


def predictions_digest(predictions: Sequence[Prediction]) -> str:
    """SHA-256 of the answers to the hold-out, a line each: equal for models that answer alike to the last bit."""
    return sha256("".join(map(_line, predictions)).encode()).hexdigest()


def _line(answer: Prediction) -> str:
    if isinstance(answer, Labelled):
        return f"{answer.label}\t{answer.probability!r}\n"
    return f"{float(answer)!r}\n"
