"""The code and the libraries that a run was made of."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from services.contract import names


def code_tags(folder: Path) -> dict[str, str]:
    """Commit and cleanliness of the checkout around `folder`; empty outside of git."""
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
