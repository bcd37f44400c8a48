"""The artifacts of jobs, each with an MD5 checksum that is compared when a later job fetches it."""

import hashlib
import shutil
from pathlib import Path

from services.embedded.agent.job_assignment import JobIdentifier

OUTPUT = "cruise-output"
CONSOLE_LOG = f"{OUTPUT}/console.log"
CHECKSUMS = f"{OUTPUT}/md5.checksum"


class ArtifactMissing(Exception):
    """The text names the artifact."""


class Artifacts:
    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, job: JobIdentifier) -> Path:
        return self._root / job.locator

    def find(self, job: JobIdentifier, path: str) -> Path | None:
        """A file or folder of the job; None also for a path out of its folder, or one that no file can have."""
        folder = self.folder(job).resolve()
        try:
            found = (folder / path).resolve()
            return found if found.is_relative_to(folder) and found.exists() else None
        except (OSError, ValueError):
            return None

    def upload(self, job: JobIdentifier, source: Path, destination: str) -> None:
        """Copies a file or a folder to `destination`, under its own name. Raises ArtifactMissing."""
        if not source.exists():
            raise ArtifactMissing(f"Failed to find {source}")
        target = self.folder(job) / destination / source.name
        _copy(source, target)
        self._note_checksums(job, target)

    def _note_checksums(self, job: JobIdentifier, target: Path) -> None:
        folder = self.folder(job)
        checksums = self._checksums(job) | {file.relative_to(folder).as_posix(): _md5(file) for file in _files(target)}
        noted = folder / CHECKSUMS
        noted.parent.mkdir(parents=True, exist_ok=True)
        noted.write_text("".join(f"{path}={digest}\n" for path, digest in checksums.items()), encoding="utf-8")

    def _checksums(self, job: JobIdentifier) -> dict[str, str]:
        noted = self.folder(job) / CHECKSUMS
        lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
        return {path: digest for path, _, digest in (line.rpartition("=") for line in lines)}

    def fetch(self, job: JobIdentifier, source: str, is_file: bool, destination: Path) -> list[str]:
        """Copies a file or a folder, and returns the paths of its files.

        Raises ArtifactMissing when it is not there, or when a checksum differs.
        """
        found = self.find(job, source)
        if not found or found.is_file() != is_file:
            raise ArtifactMissing(
                f"expected a {'file' if is_file else 'folder'} '{source}' of {job.locator}, found none"
            )
        folder, checksums = self.folder(job).resolve(), self._checksums(job)
        names = [file.relative_to(folder).as_posix() for file in _files(found)]
        for name in names:
            if checksums.get(name) != _md5(folder / name):
                raise ArtifactMissing(f"'{name}' of {job.locator} is not what was uploaded: its checksum differs")
        _copy(found, destination / found.name)
        return names


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _md5(path: Path) -> str:
    """In hexadecimal. MD5 is what GoCD uses; it guards against damage only."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
