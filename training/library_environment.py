"""Runs the command again in `.venv/<library>`, where a library has an environment of its own."""

import os
import sys
from pathlib import Path

from services.contract.environments import python_of


def enter(library: str, environments: Path) -> None:
    """Replaces this process by the same command in `<environments>/<library>`, if that exists and is not this one."""
    python = python_of(library, environments)
    if python and Path(sys.prefix).resolve() != python.parents[1].resolve():
        os.execv(python, [str(python), "-m", "training", *sys.argv[1:]])  # noqa: S606  our own command, no shell
