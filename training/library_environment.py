"""A library that must stand alone has an environment of its name: what needs the library goes on there."""

import os
import sys
from pathlib import Path

from services.contract.environments import python_of


def enter(library: str, environments: Path) -> None:
    """Lets the same command take this process' place in `<environments>/<library>`; returns when there is none, or it
    is there already."""
    python = python_of(library, environments)
    if python and Path(sys.prefix).resolve() != python.parents[1].resolve():
        os.execv(python, [str(python), "-m", "training", *sys.argv[1:]])  # noqa: S606  our own command, no shell
