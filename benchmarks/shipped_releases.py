"""The releases of the models that ship, as the pipeline builds them, with rows to score: trained once a folder."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow
import pyarrow.parquet

from benchmarks.batch_records import VARIANTS, Subject
from benchmarks.large_mlflow import running
from benchmarks.through_gates import through_gates
from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.release import Release
from services.contract.typed_rows import frame
from services.delivery.scoring.holdout import read_holdout
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from training.job import TrainedRun

_FILES = 8
# One request may have as many rows as any that is measured.
_WIDE = {"max_rows": 100_000, "max_bytes": 64_000_000}


@contextmanager
def preparing(folder: Path) -> Iterator["Preparation"]:
    """An MLflow for what is to be trained; Raises Refused when it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    with running(folder) as mlflow:
        yield Preparation(folder, mlflow.url)


class Preparation:
    def __init__(self, folder: Path, mlflow_url: str) -> None:
        self._folder = folder
        self._settings = Settings(mlflow_tracking_uri=mlflow_url, store=folder / "store")

    def subject(self, model: str, rows: int) -> Subject:
        """Trained, taken through the gates and packaged, unless that was done in this folder before.

        Raises Refused when a gate says no.
        """
        known, config = self._folder / f"{model}.json", self._config(model)
        if not known.exists():
            through_gates(self._settings, config, self._trained(config)).write(known)
        release, scorer = Release.read(known), Scorer.of(self._settings, config)
        form = release.manifest.servable.form
        if form is None:
            raise Refused(f"{model}: expected a form that answers online, found a release for batch only")
        candidate = release.manifest.candidate
        place = self._folder / f"{model}-{rows}"
        _write_rows(place, config, scorer.store.holdout(candidate.run.holdout.sha256), rows)
        return Subject(
            model=model,
            library=config.library,
            runtime=form.runtime,
            digest=release.digest,
            release=scorer.store.release(release.digest),
            mlflow_model=scorer.store.model(candidate.digest),
            input=place,
            rows=rows,
        )

    def _config(self, model: str) -> ModelConfig:
        config = load_model_config(self._settings.models, model)
        return config.model_copy(update={"serving": config.serving.model_copy(update=_WIDE)})

    def _trained(self, config: ModelConfig) -> TrainedRun:
        python = python_of(config.library, self._settings.environments) or python_of(
            "training", self._settings.environments
        )
        command = [str(python), "-m", "training", "train", config.name, "--variant", VARIANTS[config.name]]
        variables = {
            **os.environ,
            "MLFLOW_TRACKING_URI": self._settings.mlflow_tracking_uri,
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Refused(f"{config.name}: expected a training that ends, found exit {done.returncode}")
        return TrainedRun.from_json(done.stdout)


def _write_rows(place: Path, config: ModelConfig, holdout: Path, rows: int) -> None:
    """The rows of the hold-out again and again, in files that tasks can share."""
    if place.exists():
        return
    held_out = read_holdout(holdout, config).rows
    chosen = [held_out[place % len(held_out)] for place in range(rows)]
    table = pyarrow.Table.from_pandas(frame(chosen, config.inputs), preserve_index=False)
    place.mkdir()
    for number in range(_FILES):
        first, last = rows * number // _FILES, rows * (number + 1) // _FILES
        pyarrow.parquet.write_table(table.slice(first, last - first), place / f"{number}.parquet")
