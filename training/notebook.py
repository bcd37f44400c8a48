"""`trackback.run` in a notebook or a script: the second door to the job that `trackback train` does.

MLflow is imported when a run begins, because it reads its settings at that time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from training.settings import LOCKS, Settings

if TYPE_CHECKING:
    import pandas

    from training.logged_run import LoggedRun, TrainedRun
    from training.rows import Rows

_FRAME = "a frame of the notebook"
_logged: list[TrainedRun] = []


@contextmanager
def run(model: str, name: str = "notebook") -> Iterator[ModelRun]:
    """A run named `name` of the model that `training/models/<model>/model.yaml` declares.

    It is MLflow's active run, so `mlflow.log_params` and the like go into it. It ends with the block, FINISHED or, when
    the block raises, FAILED. Raises Refused when MLflow does not answer or no such model is declared.
    """
    settings = Settings()
    config = load_model_config(settings.trackback_models, model)
    settings.prepare()
    from training.flavors import find_flavor
    from training.logged_run import logged_run
    from training.session import keep_outputs_of_this_cell

    folder = settings.trackback_models / config.name
    with logged_run(config, find_flavor(config.library), name, folder, _say) as logged:
        yield ModelRun(logged, folder)
    keep_outputs_of_this_cell(logged.run_id)


def last_run() -> TrainedRun | None:
    """What this process logged last."""
    return _logged[-1] if _logged else None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@dataclass
class ModelRun:
    """A run of a declared model, while the block lasts."""

    _run: LoggedRun
    _folder: Path
    _rows: Rows | None = field(default=None, init=False)

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def columns(self) -> list[str]:
        """The inputs in the order that model.yaml declares."""
        return list(self._run.config.data.columns)

    @property
    def target(self) -> str:
        return self._run.config.data.target

    def split(
        self, rows: pandas.DataFrame | Path | str | None = None, source: str = _FRAME
    ) -> tuple[pandas.DataFrame, pandas.DataFrame]:
        """Training set and hold-out as `trackback train` splits them: of the model's own data, of a file or a frame.

        `source` says where a frame is from. Raises Refused for rows that model.yaml does not declare.
        """
        self._rows = self._load(rows, source)
        training, holdout = self._rows.dataset.training, self._rows.dataset.holdout
        return training.inputs.join(training.target), holdout.inputs.join(holdout.target)

    def _load(self, rows: pandas.DataFrame | Path | str | None, source: str) -> Rows:
        from training.dataset import split
        from training.rows import Rows, load_rows

        config = self._run.config
        if rows is None or isinstance(rows, Path | str):
            return load_rows(config, self._folder, Path(rows) if rows else None)
        return Rows(None, split(rows, config.data, config.task, source))

    def log_model(
        self, model: Any, training: pandas.DataFrame, holdout: pandas.DataFrame, source: str = _FRAME
    ) -> TrainedRun:
        """Logs all that `trackback train` logs, of a fitted model and the frames that it was fitted and is measured on.

        Frames of `split` are known by their digest; `source` says where others are from. Raises Refused for rows that
        model.yaml does not declare, and when the run has a model already.
        """
        from training.environment import installed
        from training.libraries import libraries_of
        from training.provenance import Ingredients
        from training.session import session_code

        if any(one.run_id == self.run_id for one in _logged):
            raise Refused(f"expected one model a run, found a second one for {self.run_id}: begin another run")
        config, flavor = self._run.config, self._run.flavor
        rows = self._known(training, holdout, source)
        self._warn(rows)
        libraries = libraries_of(flavor, model)
        ingredients = Ingredients(config, self._folder, rows, libraries, installed(LOCKS), session_code())
        self._run.log_ingredients(ingredients)
        self._run.log_parameters(model, {"variant": self._run.variant})
        predictions = self._run.predict(model, rows.dataset)
        _logged.append(self._run.log_result(model, predictions, rows.dataset, ingredients.provenance))
        return _logged[-1]

    def _known(self, training: pandas.DataFrame, holdout: pandas.DataFrame, source: str) -> Rows:
        """The rows of `split` when these are the same to the last byte, else rows of unknown files."""
        from training.dataset import as_given
        from training.rows import Rows

        config = self._run.config
        given = as_given(training, holdout, config.data, config.task, source)
        known = self._rows.dataset if self._rows else None
        if known and (known.training.csv, known.holdout.csv) == (given.training.csv, given.holdout.csv):
            return self._rows or Rows(None, given)
        return Rows(None, given)

    def _warn(self, rows: Rows) -> None:
        from training.logged_run import unpinned_holdout

        training, holdout = rows.dataset.training, rows.dataset.holdout
        if note := unpinned_holdout(self._run.config, holdout.digest.sha256):
            _say(note)
        shared = set(training.csv.splitlines()[1:]) & set(holdout.csv.splitlines()[1:])
        if shared and self._run.config.data.split_by is None:
            _say(f"note: {len(shared)} rows of the hold-out are in the training set too, so its metrics flatter")
