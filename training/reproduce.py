"""`trackback reproduce`: trains a run again from what it recorded, in a fresh folder, and compares the two."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Run

from services.contract import names
from services.contract.candidate import Environment, Provenance
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from training.comparison import Compared, Side, compare
from training.environment import installed
from training.library_environment import enter
from training.logged_run import Say, TrainedRun
from training.settings import LOCKS, ROOT
from training.tracking import expecting
from training.verify import find, recorded_provenance

_MODELS = Path("training") / "models"


@dataclass(frozen=True)
class ReproduceRequest:
    """A run to train again; `csv` is the file that it was trained with, None when it was the model's own data."""

    models: Path
    run_id: str
    csv: Path | None
    environments: Path


def reproduce(request: ReproduceRequest, say: Say) -> Compared:
    """Logs another run, which names the first one. Raises Refused for a run that does not say how to train it again."""
    run, model = find(request.run_id)
    library = load_model_config(request.models, model).library
    enter(library, request.environments)
    provenance = recorded_provenance(run)
    options = _options(run, provenance, request.csv)
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        checkout = Path(folder) / "checkout"
        say(f"checking out what run {request.run_id[:8]} was trained from")
        check_out(ROOT, _commit(run), checkout)
        if run.data.tags.get(names.GIT_DIRTY_TAG) == "true":
            say("its checkout had changes: taking the model's folder and the training job from the run's artifacts")
            lay_over(_code(run, Path(folder)), checkout, model)
        python = _python(provenance.environment, checkout, Path(folder), say)
        again = _trained(python, checkout, [model, *options])
    mlflow.MlflowClient().set_tag(again.run_id, names.REPRODUCES_TAG, request.run_id)
    return compare(library, _side(run), _side(mlflow.get_run(again.run_id)))


def _commit(run: Run) -> str:
    if commit := run.data.tags.get(names.GIT_COMMIT_TAG):
        return str(commit)
    raise Refused(f"expected a run that was trained from a git checkout, found run {run.info.run_id} without a commit")


def _options(run: Run, provenance: Provenance, csv: Path | None) -> list[str]:
    """Of `trackback train`. Raises Refused for a run that was not logged by it, and when a file is missing."""
    parameters: Mapping[str, str] = run.data.params
    if "labels.shuffled" not in parameters:
        raise Refused(
            f"expected a run of `trackback train`, found run {run.info.run_id} of other code: execute the notebook or "
            f"script again that is in its artifacts, folder {names.SESSION_FOLDER}"
        )
    given = provenance.sources is not None and not provenance.sources.packages and provenance.sources.files == 1
    if given != (csv is not None):
        raise Refused(
            f"expected {'the file that the run was trained with' if given else 'no file, as it was trained'}, found "
            f"{csv or 'none'}: {'give it with' if given else 'omit'} --data"
        )
    shuffled = ["--shuffle-labels"] if parameters["labels.shuffled"] == "True" else []
    master = ["--master", parameters["master"]] if "master" in parameters else []
    return ["--variant", parameters["variant"], *(["--data", str(csv.resolve())] if csv else []), *shuffled, *master]


def check_out(root: Path, commit: str, folder: Path) -> None:
    """A copy of the checkout `root` at this commit. Raises Refused when it has no such commit."""
    for command in (
        ["clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder)],
        ["-C", str(folder), "checkout", "--quiet", "--detach", commit],
    ):
        done = subprocess.run(["git", *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Refused(f"expected the commit {commit} in {root}, found: {reason}: fetch it there with git")


def lay_over(code: Path, checkout: Path, model: str) -> None:
    """Puts the run's artifact `code` in the place of what is checked out: model, training job and what was changed."""
    target, changed = checkout / _MODELS / model, code / Path(names.CHANGED_FOLDER).name
    not_the_model = ("training", changed.name, Path(names.SESSION_FOLDER).name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(code, target, ignore=shutil.ignore_patterns(*not_the_model))
    shutil.copytree(code / "training", checkout / "training", dirs_exist_ok=True)
    if changed.is_dir():
        shutil.copytree(changed, checkout, dirs_exist_ok=True)


def _code(run: Run, folder: Path) -> Path:
    with expecting(f"the artifact {names.CODE_FOLDER} of run {run.info.run_id}"):
        uri = f"runs:/{run.info.run_id}/{names.CODE_FOLDER}"
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))


def _python(recorded: Environment | None, checkout: Path, folder: Path, say: Say) -> Path:
    """Of this environment when it is the recorded one, else of a new one, made of the lock file of that commit."""
    if recorded and recorded.sha256 == installed(LOCKS).environment.sha256:
        return Path(sys.executable)
    if recorded is None or recorded.lock is None:
        raise Refused(
            "expected a run of an environment that a lock file pins, found one of "
            f"{recorded.packages if recorded else 'unknown'} packages that none does: train in .venv/training"
        )
    name = Path(recorded.lock).stem
    say(f"setting up the environment '{name}' as it was locked then")
    environment = {**os.environ, "TRACKBACK_ENVIRONMENTS": str(folder / "environments")}
    done = subprocess.run([checkout / "scripts" / "setup", name], env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise Refused(f"expected to set up the environment of {recorded.lock}, found exit {done.returncode}")
    return folder / "environments" / name / "bin" / "python"


def _trained(python: Path, checkout: Path, arguments: list[str]) -> TrainedRun:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "TRACKBACK_MODELS": str(checkout / _MODELS)}
    command = [str(python), "-P", "-m", "training", "train", *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Refused(f"expected the run to be trained again, found exit {done.returncode}: its reason is above")
    return TrainedRun.from_json(done.stdout, "what the training printed")


def _side(run: Run) -> Side:
    return Side(run.info.run_id, recorded_provenance(run), run.data.metrics, run.data.tags.get(names.PREDICTIONS_TAG))
