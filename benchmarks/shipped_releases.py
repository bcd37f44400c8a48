"""The releases of the models that ship, as the pipeline builds them, with rows to score: trained once a folder."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow
import pyarrow.parquet

from benchmarks.batch_records import Subject
from benchmarks.large_mlflow import running
from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.promotion import Promotion
from services.contract.release import Release
from services.contract.typed_rows import frame
from services.delivery.scoring.holdout import read_holdout
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.package import packaged
from services.delivery.verdicts.comparing import compared
from services.delivery.verdicts.validating import validated
from training.job import TrainedRun

# As fast to train as a model of its kind can be, and as good as the gates demand.
VARIANTS = {"diamond-price": "boosted", "language-id": "thorough", "flight-delay": "boosted"}
_FILES = 8


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
        known, config = self._folder / f"{model}.json", load_model_config(self._settings.models, model)
        if not known.exists():
            self._packaged(config).write(known)
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

    def _packaged(self, config: ModelConfig) -> Release:
        run, scorer = self._trained(config), Scorer.of(self._settings, config)
        promotion = Promotion(
            model=run.model,
            label=f"1-{run.run_id[:8]}",
            run_id=run.run_id,
            run_status="FINISHED",
            experiment_id="1",
            model_id=run.model_id,
            promotion="true",
        )
        candidate = fetched(self._settings, promotion, None)
        return packaged(scorer, candidate, validated(scorer, candidate), compared(scorer, candidate, None))

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
