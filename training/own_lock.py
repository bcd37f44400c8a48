"""Locks the packages that a model brings, with those that train, ask and serve it, before anything is fitted."""

import hashlib
import platform
import re
import subprocess
import sys
from pathlib import Path

from services.contract import names
from services.contract.errors import Refused
from training.settings import LOCKS, ROOT

DECLARED = ("requirements.in", "requirements.txt")
OURS = LOCKS / f"prediction-{names.OWN_ENVIRONMENT}.in"
_UV = ROOT / ".tools" / "uv" / "bin" / "uv"
_OPTIONS = (
    "--quiet", "--universal", "--generate-hashes", "--only-binary", ":all:", "--no-header", "--no-annotate",
    "--no-emit-index-url",
)  # fmt: skip


def declared(folder: Path) -> Path | None:
    """The file of a model's folder that names its packages, if there is one."""
    return next((path for name in DECLARED if (path := folder / name).is_file()), None)


def write_lock(requirements: Path) -> Path:
    """`requirements.lock` beside it, made anew only when what it is made from has changed; pins stay where they may.

    Raises Refused, with uv's reason, when the model's packages cannot be had or do not go together with ours.
    """
    lock, version = requirements.with_name(names.LOCK_FILE), ".".join(platform.python_version_tuple()[:2])
    inputs = hashlib.sha256(OURS.read_bytes() + requirements.read_bytes()).hexdigest()
    head = f"# {inputs} of {requirements.name} and ours, for Python {version}\n"
    if lock.is_file() and lock.read_text(encoding="utf-8").startswith(head):
        return lock
    sys.stderr.write(f"locking {requirements} with what serves the model\n")
    _compile(requirements, lock, version)
    content = lock.read_text(encoding="utf-8")
    _refuse_two_clients(requirements, content)
    lock.write_text(head + content, encoding="utf-8")
    return lock


def _refuse_two_clients(requirements: Path, content: str) -> None:
    """Old versions of mlflow hold the files of mlflow-skinny without saying so."""
    ours, other = (re.search(rf"^{name}==(\S+)", content, re.MULTILINE) for name in ("mlflow-skinny", "mlflow"))
    if ours and other and ours[1] != other[1]:
        raise Refused(f"{requirements}: expected mlflow {ours[1]}, which trains and serves the model, found {other[1]}")


def _compile(requirements: Path, lock: Path, version: str) -> None:
    files = [str(OURS), str(requirements), "--output-file", str(lock)]
    command = [str(_uv()), "pip", "compile", *_OPTIONS, "--python-version", version, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.encode("ascii", "ignore").decode().split())
        raise Refused(
            f"{requirements}: expected packages that go together with requirements/{OURS.name}, found: {reason}"
        )


def _uv() -> Path:
    if not _UV.is_file():
        subprocess.run([sys.executable, ROOT / "scripts" / "environments.py", "uv"], check=True)
    return _UV
