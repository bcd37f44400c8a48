"""`trackback train`: reads rows, fits a model, measures it on the hold-out and logs all of it as an MLflow run."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from training.dataset import Part
from training.environment import installed
from training.flavors import Flavor, find_flavor
from training.libraries import libraries_of
from training.logged_run import LoggedRun, Say, TrainedRun, logged_run, unpinned_holdout
from training.lookalikes import lookalikes
from training.model_code import find_function, named
from training.provenance import Ingredients
from training.rows import load_rows
from training.settings import LOCKS

__all__ = ["TrainRequest", "TrainedRun", "shuffled", "train"]


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
    variant, folder = chosen_variant(config, request.variant), request.models / config.name
    plan = checked_plan(config, flavor, folder, variant)
    say(f"{config.name}: reading {request.csv or config.data.source}")
    rows = load_rows(config, folder, request.csv)
    training, holdout = rows.dataset.training.digest, rows.dataset.holdout.digest
    labels = f", {rows.dataset.training.target.nunique()} labels" if config.task == "classification" else ""
    say(f"{config.name}: {training.rows} rows to train on, {holdout.rows} held out{labels}")
    for note in [unpinned_holdout(config, holdout.sha256), *lookalikes(rows.dataset)]:
        if note:
            say(note)
    ingredients = Ingredients(config, folder, rows, libraries_of(flavor, plan), installed(LOCKS))
    with logged_run(config, flavor, variant, folder, say) as run:
        run.log_ingredients(ingredients)
        model = _fit(run, request, plan, rows.dataset.training)
        with named(folder / "train.py", "a model that answers the hold-out"):
            predictions = run.predict(model, rows.dataset)
        return run.log_result(model, predictions, rows.dataset, ingredients.provenance)


def chosen_variant(config: ModelConfig, requested: str | None) -> str:
    """The first one if None. Raises Refused for one that model.yaml does not have."""
    name = requested or next(iter(config.variants))
    if name not in config.variants:
        raise Refused(f"expected a variant of {config.name} ({', '.join(config.variants)}), found '{name}'")
    return name


def checked_plan(config: ModelConfig, flavor: Flavor, folder: Path, variant: str) -> Any:
    """What the model's `build` returns for a variant. Raises Refused for what the library could not fit or store."""
    path = folder / "train.py"
    build = find_function(folder, path.name, "build")
    with named(path, f"`build` to take the variant '{variant}' of model.yaml"):
        plan = build(**config.variants[variant])
    try:
        flavor.check(plan, config)
    except Refused as refused:
        raise Refused(f"{path}: {refused}") from refused
    return plan


def shuffled(target: pandas.Series) -> pandas.Series:
    """The same labels in another order, the same order at every call."""
    order = numpy.random.default_rng(0).permutation(len(target))
    return pandas.Series(target.to_numpy()[order], index=target.index, name=target.name)


def _fit(run: LoggedRun, request: TrainRequest, plan: Any, training: Part) -> Any:
    run.say(f"fitting '{run.variant}' on {request.master or 'this machine'}")
    target = shuffled(training.target) if request.shuffle_labels else training.target
    started = time.monotonic()
    with named(request.models / request.model / "train.py", "a plan that can be fitted on these rows"):
        model = run.flavor.fit(plan, training.inputs, target, request.master)
    mlflow.log_metric(names.SECONDS_METRIC, time.monotonic() - started)
    run.log_parameters(model, {**_requested(run, request), **run.config.variants[run.variant]})
    return model


def _requested(run: LoggedRun, request: TrainRequest) -> dict[str, Any]:
    master = {"master": request.master} if request.master else {}
    return {"variant": run.variant, "labels.shuffled": request.shuffle_labels, **master}
