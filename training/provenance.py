"""What a run records beside parameters and metrics: code, libraries, environment, machine and data."""

import json
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from training.dataset import schema
from training.environment import Installed
from training.machine import machine
from training.rows import Rows
from training.sources import in_short

_HERE = Path(__file__).parent
# MLflow cuts a longer tag off without an error.
_LONGEST_TAG = 8000


@dataclass(frozen=True)
class Provenance:
    """`folder` is the folder of the model; `libraries` are the distributions whose versions are recorded."""

    config: ModelConfig
    folder: Path
    rows: Rows
    libraries: tuple[str, ...]
    installed: Installed

    def tags(self) -> dict[str, str]:
        """The run's tags. Raises Refused when one is longer than MLflow keeps."""
        dataset = self.rows.dataset
        found = {
            **code_tags(self.folder),
            names.TRAINING_DATA_TAG: dataset.training.digest.model_dump_json(),
            names.HOLDOUT_TAG: dataset.holdout.digest.model_dump_json(),
            names.SCHEMA_TAG: schema(self.config.data, self.config.task).model_dump_json(),
            names.SOURCES_TAG: in_short(self.rows.sources).model_dump_json(),
            names.LIBRARIES_TAG: json.dumps(library_versions(self.libraries)),
            names.ENVIRONMENT_TAG: self.installed.environment.model_dump_json(),
            names.MACHINE_TAG: machine().model_dump_json(),
        }
        if long := [name for name, value in found.items() if len(value) > _LONGEST_TAG]:
            raise Refused(
                f"expected at most {_LONGEST_TAG} characters for the tag {long[0]}, found {len(found[long[0]])}: "
                "declare fewer or shorter columns"
            )
        return found

    def write(self, folder: Path) -> None:
        """Writes the run's artifacts below the empty `folder`, laid out as the run will have them."""
        shutil.copytree(self.folder, folder / names.CODE_FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
        self._write_job(folder / names.CODE_FOLDER / _HERE.name)
        self.installed.write(folder / names.ENVIRONMENT_FOLDER)
        self.rows.sources.write(folder / names.SOURCES_ARTIFACT)
        (folder / names.HOLDOUT_ARTIFACT).write_bytes(self.rows.dataset.holdout.csv)

    def _write_job(self, folder: Path) -> None:
        """Copies the training job's own code: in a checkout with changes the commit is not enough."""
        for path in [*_HERE.glob("*.py"), *_HERE.glob("flavors/__init__.py"), self._flavor]:
            copy = folder / path.relative_to(_HERE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    @property
    def _flavor(self) -> Path:
        return _HERE / "flavors" / f"{self.config.library}.py"


def code_tags(folder: Path) -> dict[str, str]:
    """The commit of the checkout around `folder`, and whether it has changes; empty outside of git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {}
    dirty = bool(_git(folder, "status", "--porcelain"))
    return {names.GIT_COMMIT_TAG: commit, names.GIT_DIRTY_TAG: str(dirty).lower()}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def library_versions(distributions: tuple[str, ...]) -> dict[str, str]:
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in distributions}}
