"""`trackback check`: finds, before a model is fitted on all of its rows, what a later step would refuse."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mlflow
import pandas

from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.errors import Refused, reason
from services.contract.metrics import measure
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.verdict import Check, Verdict
from training.dataset import Dataset, Part
from training.flavors import Flavor, find_flavor
from training.job import checked_plan, chosen_variant
from training.lookalikes import lookalikes
from training.model_code import named
from training.provenance import library_versions
from training.rows import load_rows
from training.signature import signature

_Found = TypeVar("_Found")
# Of the training set, for the trial; of a classification, so many that each label may have some.
ROWS = 300
_EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class CheckRequest:
    """`csv` replaces the model's own data; `environments` is the folder with those of the gates and of libraries.

    Of the variants that `variant` names, or of all if it is None."""

    models: Path
    model: str
    environments: Path
    csv: Path | None = None
    variant: str | None = None


@dataclass(frozen=True)
class Finding:
    """What was looked at, what came of it, and for a fail what a person may do."""

    verdict: Verdict
    name: str
    said: str

    def __str__(self) -> str:
        return f"{self.verdict.upper():12} {self.name}: {self.said}"


def check(request: CheckRequest) -> Iterator[Finding]:
    """Each finding as soon as it is known. What needs something that failed is left out."""
    looking = _Looking()
    folder = request.models / request.model
    config = looking.at("model.yaml", lambda: load_model_config(request.models, request.model))
    yield from looking.take(f"{len(config.variants)} variants, task {config.task}" if config else "")
    flavor = looking.at("library", lambda: find_flavor(config.library)) if config else None
    yield from looking.take(config.library if config and flavor else "")
    if not config or not flavor:
        return
    plans = {}
    for variant in [chosen_variant(config, request.variant)] if request.variant else config.variants:
        plans[variant] = looking.at(f"plan '{variant}'", lambda: checked_plan(config, flavor, folder, variant))  # noqa: B023  called at once
        yield from looking.take(type(plans[variant]).__name__)
    rows = looking.at("rows", lambda: load_rows(config, folder, request.csv))
    if rows is None:
        yield from looking.take("")
        return
    dataset = rows.dataset
    yield from looking.take(f"{dataset.training.digest.rows} to train on, {dataset.holdout.digest.rows} held out")
    yield from (Finding(Verdict.PASS, "rows", note) for note in lookalikes(dataset))
    yield from _of_holdout(config, dataset)
    trial = _Trial(config, flavor, folder, request.environments, dataset)
    for variant, plan in plans.items():
        if plan is not None:
            yield from _of_trial(trial, variant, plan, looking)


class _Looking:
    """Turns what is refused into a finding."""

    def __init__(self) -> None:
        self._name, self._refused = "", ""

    def at(self, name: str, look: Callable[[], _Found]) -> _Found | None:
        self._name, self._refused = name, ""
        try:
            return look()
        except Refused as refused:
            self._refused = str(refused)
            return None

    def take(self, passed: str) -> Iterator[Finding]:
        """What the last look came to, in the words `passed` when nothing was refused."""
        verdict = Verdict.FAIL if self._refused else Verdict.PASS
        if self._name:
            yield Finding(verdict, self._name, self._refused or passed)
        self._name = ""


def _of_holdout(config: ModelConfig, dataset: Dataset) -> Iterator[Finding]:
    found, pinned = dataset.holdout.digest, config.data.holdout_sha256
    if found.sha256 == pinned:
        yield Finding(Verdict.PASS, "hold-out", f"the pinned one, {found.sha256[:12]}")
    else:
        said = (
            f"expected the one pinned in model.yaml, {pinned[:12] if pinned else 'none yet'}, found {found.sha256[:12]}"
        )
        to_do = f"validate refuses it until `holdout_sha256: {found.sha256}` is committed under `data`"
        yield Finding(Verdict.FAIL, "hold-out", f"{said}: {to_do}")
    least = config.gates.compare.min_rows
    if found.rows < least:
        yield Finding(
            Verdict.FAIL,
            "compare",
            f"expected at least {least} hold-out rows (gates.compare.min_rows), found {found.rows}: validate and "
            "compare stay inconclusive; hold out more (data.holdout_percent) or ask for fewer",
        )


@dataclass(frozen=True)
class _Trial:
    config: ModelConfig
    flavor: Flavor
    folder: Path
    environments: Path
    dataset: Dataset

    @property
    def rows(self) -> tuple[pandas.DataFrame, pandas.Series]:
        """A few of the training set: of each label, or evenly spread."""
        part: Part = self.dataset.training
        if self.config.task == "regression":
            chosen = slice(None, None, max(1, len(part.target) // ROWS))
            return part.inputs.iloc[chosen], part.target.iloc[chosen]
        each = max(2, ROWS // part.target.nunique())
        kept = part.target.groupby(part.target).head(each).index.sort_values()
        return part.inputs.loc[kept], part.target.loc[kept]

    def fit(self, plan: Any) -> Any:
        """The fitted model, which has answered."""
        inputs, target = self.rows
        with named(self.folder / "train.py", "a plan that can be fitted on these rows"):
            model = self.flavor.fit(plan, inputs, target, None)
            measure(self.config.task, list(target), self.flavor.predict(model, inputs))
        return model

    def log(self, model: Any, folder: Path) -> Path:
        """As a run would log it, into a store of files that nobody sees."""
        example = self.dataset.holdout.inputs.head(_EXAMPLE_ROWS)
        versions = library_versions(self.flavor.LIBRARIES)
        requirements = [f"{name}=={versions[name]}" for name in self.flavor.LIBRARIES]
        with _throwaway_mlflow(folder / "mlflow"), mlflow.start_run():
            model_id = self.flavor.log_model(model, signature(self.config), example, requirements)
            return Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=str(folder / "model")))

    def ask_gates(self, model: Path) -> list[Check]:
        """What they say in their own environment. Raises Refused when they cannot be asked."""
        python = python_of("delivery", self.environments)
        if python is None:
            raise Refused(f"expected {self.environments / 'delivery'}, found none: scripts/setup delivery")
        holdout = model.with_name("holdout.csv")
        holdout.write_bytes(self.dataset.holdout.csv)
        words = ["-P", "-m", "services.delivery.verbs.trial", str(self.folder), str(model), str(holdout)]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "TRACKBACK_ENVIRONMENTS": str(self.environments.absolute())}
        done = subprocess.run([python, *words], env=variables, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the gates ended in silence")
        return [Check.model_validate(one) for one in json.loads(done.stdout)]


@contextmanager
def _throwaway_mlflow(folder: Path) -> Iterator[None]:
    """MLflow's files in `folder`, because a database would take seconds to be made."""
    tracking, registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow.set_tracking_uri(folder.absolute().as_uri())
    mlflow.set_registry_uri(folder.absolute().as_uri())
    try:
        yield
    finally:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry)
        del os.environ["MLFLOW_ALLOW_FILE_STORE"]


def _of_trial(trial: _Trial, variant: str, plan: Any, looking: _Looking) -> Iterator[Finding]:
    """Each finding has the variant in its name."""
    model = looking.at(f"trial fit '{variant}'", lambda: trial.fit(plan))
    yield from looking.take(f"on {len(trial.rows[1])} rows")
    if model is None:
        return
    with tempfile.TemporaryDirectory() as temporary:
        logged = looking.at(f"log '{variant}'", lambda: _logged(trial, model, Path(temporary)))
        yield from looking.take("as a run logs it")
        found = looking.at(f"gates '{variant}'", lambda: trial.ask_gates(logged)) if logged else None
        if logged and found is None:
            yield from looking.take("")
    for one in found or ():
        said = one.found if one.verdict is Verdict.PASS else f"expected {one.expected}, found {one.found}"
        off = f" (switched off: {one.off})" if one.off else ""
        yield Finding(one.verdict if one.stops else Verdict.PASS, f"{one.name} '{variant}'", f"{said}{off}")


def _logged(trial: _Trial, model: Any, folder: Path) -> Path:
    try:
        return trial.log(model, folder)
    except Refused:
        raise
    # What cannot be stored fails in whatever way the library and MLflow happen to fail.
    except Exception as error:
        raise Refused(f"expected a model that can be logged, found {type(error).__name__}: {reason(error)}") from error
