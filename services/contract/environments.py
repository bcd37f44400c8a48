"""Which interpreter a model runs in: that of its own lock or of its library, else whichever asks."""

import os
import subprocess
import sys
from pathlib import Path

from services.contract import names
from services.contract.checkout import ROOT
from services.contract.errors import Refused, Undecided

_NO_LOCK = 2


def python_of(library: str, environments: Path) -> Path | None:
    """`<environments>/<library>/bin/python`; None when the library has no environment of its name."""
    python = environments / library / "bin" / "python"
    return python if python.exists() else None


def python_for(name: str, model: Path, environments: Path) -> Path | None:
    """The one for MLflow's model folder `model`: of the lock in it, else of the environment `name`, if there is one."""
    lock = model / names.LOCK_FILE
    return python_of_lock(lock, environments) if lock.is_file() else python_of(name, environments)


def python_of_lock(lock: Path, environments: Path) -> Path:
    """`<environments>/lock-<digest>/bin/python`, which is set up if it is not there yet, as stderr says then.

    Raises Refused for a file that is no lock, and Undecided when a package of it cannot be had here and now.
    """
    command = [sys.executable, "-P", "-m", "scripts.own_environment", str(lock.absolute())]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "TRACKBACK_ENVIRONMENTS": str(environments.absolute())}
    with subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as setting_up:
        last = _last_line(setting_up)
        python, _ = setting_up.communicate()
    if setting_up.returncode != 0:
        raise (Refused if setting_up.returncode == _NO_LOCK else Undecided)(last)
    return Path(python.strip())


def _last_line(process: "subprocess.Popen[str]") -> str:
    """What it says at its end on stderr; what it says before is passed on while it works."""
    last = ""
    for line in process.stderr or ():
        sys.stderr.write(last)
        last = line
    if process.wait() == 0:
        sys.stderr.write(last)
    return last.strip() or "expected a set-up of the environment, found no message"
