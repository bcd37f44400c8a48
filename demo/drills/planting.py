"""Plants the candidates of a model: trains them, and logs each as a run like any other, by the training job's own code.

usage: python -m demo.drills.planting MODEL FOLDER NAME [NAME ...], which prints a line of JSON for each run
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from demo.drills.catalogue import AGAIN, Plant, planted
from demo.drills.declaration import pin
from demo.drills.planted_run import PlantedRun
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.prediction import Prediction
from training.settings import LOCKS, Settings

# What the clients of a drill in production play.
ROWS_FILE, PLAYED = "rows.jsonl", 5000


@dataclass(frozen=True)
class Trained:
    """What is logged: a fitted model, the rows that the run says it was trained on, and what it answers to the
    hold-out, which is asked of it where it is not given. `spoil` is what happens to its files while they are saved."""

    model: Any
    dataset: Any
    config: ModelConfig
    answers: Sequence[Prediction] | None = None
    spoil: Callable[[Path], None] | None = None


class Ground:
    """A model as it is declared in a folder of models, with its rows; what a plant of this model grows from."""

    def __init__(self, models: Path, model: str) -> None:
        self.config, self.folder = load_model_config(models, model), models / model

    @cached_property
    def flavor(self) -> Any:
        from training.flavors import find_flavor

        return find_flavor(self.config.library)

    @cached_property
    def rows(self) -> Any:
        from training.rows import load_rows

        return load_rows(self.config, self.folder, None)

    def own(self, name: str) -> Any:
        """A function or type of the model's train.py."""
        from training.model_code import find_function

        return find_function(self.folder, "train.py", name)

    def fit(self, plan: Any, part: Any) -> Any:
        return self.flavor.fit(plan, part.inputs, part.target, None)

    def trained(self, model: Any, **more: Any) -> Trained:
        return Trained(model, **{"dataset": self.rows.dataset, "config": self.config, **more})


class Spoiling:
    """A flavor that saves what it is given and then spoils the files, as a full disk or a wrong script does."""

    def __init__(self, flavor: Any, spoil: Callable[[Path], None]) -> None:
        self._flavor, self._spoil = flavor, spoil

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flavor, name)

    def log_model(self, *arguments: Any) -> str:
        import mlflow

        logged: str = self._flavor.log_model(*arguments)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(mlflow.artifacts.download_artifacts(f"models:/{logged}", dst_path=place))
            self._spoil(folder)
            mlflow.MlflowClient().log_model_artifacts(logged, str(folder))
        return logged


def log(ground: Ground, plant: Plant, trained: Trained) -> PlantedRun:
    from training.environment import installed
    from training.libraries import libraries_of
    from training.logged_run import logged_run
    from training.provenance import Ingredients

    flavor = Spoiling(ground.flavor, trained.spoil) if trained.spoil else ground.flavor
    rows = replace(ground.rows, dataset=trained.dataset)
    libraries = libraries_of(ground.flavor, trained.model)
    ingredients = Ingredients(ground.config, ground.folder, rows, libraries, installed(LOCKS))
    with logged_run(trained.config, flavor, plant.name, ground.folder, _quiet) as run:
        run.log_ingredients(ingredients)
        run.log_parameters(trained.model, {"planted": plant.what})
        answers = trained.answers or run.predict(trained.model, trained.dataset)
        logged = run.log_result(trained.model, answers, trained.dataset, ingredients.provenance)
    return PlantedRun(plant=plant.name, run_id=logged.run_id, model_id=logged.model_id)


def _quiet(_: str) -> None:
    """The drill says itself how far it is."""


def runs(model: str, place: Path, names: Sequence[str]) -> Iterator[PlantedRun]:
    module = import_module(f"demo.drills.{model.replace('-', '_')}")
    grounds = {False: Ground(place / "models", model)}
    write_rows(place / ROWS_FILE, grounds[False])
    for plant in planted(model, names):
        if plant.name == AGAIN:
            continue
        if plant.redeclared:
            grounds[True] = _redeclared(place / "redeclared", model)
        ground = grounds[plant.redeclared]
        trained = module.plant(plant.name, ground)
        yield log(ground, plant, trained)


def write_rows(file: Path, ground: Ground) -> None:
    """A request a line, of rows as they come in: of training and hold-out alike."""
    dataset = ground.rows.dataset
    rows = [
        part.inputs.sample(min(len(part.inputs), most), random_state=0)
        for part, most in ((dataset.training, PLAYED * 4 // 5), (dataset.holdout, PLAYED // 5))
    ]
    file.write_text(
        "".join(
            json.dumps({"dataframe_records": [record]}) + "\n"
            for part in rows
            for record in json.loads(part.to_json(orient="records"))
        )
    )


def _redeclared(models: Path, model: str) -> Ground:
    """With the hold-out pinned that its rows have."""
    ground = Ground(models, model)
    pin(models, model, ground.rows.dataset.holdout.digest.sha256)
    ground.config = load_model_config(models, model)
    return ground


def main(model: str, place: Path, names: Sequence[str]) -> None:
    try:
        Settings().prepare()
        for run in runs(model, place, names):
            sys.stdout.write(run.model_dump_json() + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
