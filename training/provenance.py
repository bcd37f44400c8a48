"""What a run records beside parameters and metrics: code, libraries, environment, machine and data."""

import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from services.contract import names
from services.contract.candidate import Provenance
from services.contract.model_config import ModelConfig
from services.contract.row_hashes import row_hashes, written
from training.dataset import schema
from training.environment import Installed
from training.machine import machine
from training.rows import Rows
from training.sources import in_short
from training.summaries import summaries

_HERE = Path(__file__).parent
_LONGEST_TAG = 250


@dataclass(frozen=True)
class Ingredients:
    """What goes into a run of the model in `folder`; `libraries` are the distributions whose versions are recorded.

    `session` holds the code that is in no file of `folder`, by the name that it gets: a notebook or a script.
    """

    config: ModelConfig
    folder: Path
    rows: Rows
    libraries: tuple[str, ...]
    installed: Installed
    session: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def provenance(self) -> Provenance:
        dataset, sources = self.rows.dataset, self.rows.sources
        return Provenance(
            libraries=library_versions(self.libraries),
            training=dataset.training.digest,
            holdout=dataset.holdout.digest,
            data_schema=schema(self.config.data, self.config.task),
            sources=in_short(sources) if sources else None,
            environment=self.installed.environment,
            machine=machine(),
            row_hashes=sha256(self._row_hashes).hexdigest(),
            columns=summaries(dataset.training, self.config.data, self.config.task),
        )

    @cached_property
    def _row_hashes(self) -> bytes:
        return written(row_hashes(self.rows.dataset.training.csv))

    def tags(self) -> dict[str, str]:
        """The digest of the provenance, and what a person wants to see of it at a glance."""
        return {**readable_tags(self.provenance), names.PROVENANCE_TAG: sha256(self._content).hexdigest()}

    def write(self, folder: Path) -> None:
        """Writes the run's artifacts below the empty `folder`, laid out as the run will have them."""
        shutil.copytree(self.folder, folder / names.CODE_FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
        self._write_job(folder / names.CODE_FOLDER / _HERE.name)
        for path, file in changed_files().items():
            copy = folder / names.CHANGED_FOLDER / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        for name, content in self.session.items():
            file = folder / names.SESSION_FOLDER / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        self.installed.write(folder / names.ENVIRONMENT_FOLDER)
        (folder / names.HOLDOUT_ARTIFACT).parent.mkdir()
        (folder / names.HOLDOUT_ARTIFACT).write_bytes(self.rows.dataset.holdout.csv)
        (folder / names.ROW_HASHES_ARTIFACT).write_bytes(self._row_hashes)
        if self.rows.sources:
            self.rows.sources.write(folder / names.SOURCES_ARTIFACT)
        (folder / names.PROVENANCE_ARTIFACT).write_bytes(self._content)

    @property
    def _content(self) -> bytes:
        return self.provenance.to_json().encode()

    def _write_job(self, folder: Path) -> None:
        """Copies the training job's own code: in a checkout with changes the commit is not enough."""
        for path in [*_HERE.glob("*.py"), *_HERE.glob("flavors/__init__.py"), self._flavor]:
            copy = folder / path.relative_to(_HERE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    @property
    def _flavor(self) -> Path:
        return _HERE / "flavors" / f"{self.config.library}.py"


def readable_tags(found: Provenance) -> dict[str, str]:
    """A line for each part that was recorded, with the digest in short."""
    data = {names.TRAINING_DATA_TAG: found.training, names.HOLDOUT_TAG: found.holdout}
    told = {name: f"{one.rows} rows of {one.source}, {one.sha256[:12]}" for name, one in data.items() if one}
    if found.libraries:
        told[names.LIBRARIES_TAG] = ", ".join(f"{name} {version}" for name, version in found.libraries.items())
    if found.environment:
        lock = found.environment.lock or "no lock file"
        told[names.ENVIRONMENT_TAG] = f"{found.environment.packages} packages, {lock}, {found.environment.sha256[:12]}"
    if found.machine:
        told[names.MACHINE_TAG] = f"{found.machine.cores} cores, {found.machine.processor}"
    return {name: text[:_LONGEST_TAG] for name, text in told.items()}


def code_tags(folder: Path) -> dict[str, str]:
    """The commit of the checkout around `folder`, and whether it has changes; empty outside of git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {}
    dirty = bool(_git(folder, "status", "--porcelain"))
    return {names.GIT_COMMIT_TAG: commit, names.GIT_DIRTY_TAG: str(dirty).lower()}


def changed_files(root: Path = _HERE.parent) -> dict[str, Path]:
    """The files that the training job of the checkout `root` is made of and that its commit does not hold, by path."""
    listed = [
        _git(root, *command, "--", _HERE.name, "services/contract")
        for command in (["diff", "--name-only", "HEAD"], ["ls-files", "--others", "--exclude-standard"])
    ]
    paths = [path for lines in listed for path in (lines or "").splitlines()]
    return {path: root / path for path in paths if (root / path).is_file()}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def library_versions(distributions: tuple[str, ...]) -> dict[str, str]:
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in distributions}}
