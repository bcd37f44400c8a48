"""A library that must stand alone has an environment of its name: what needs the library goes on there."""

import os
import sys

from training.settings import ROOT


def enter(library: str) -> None:
    """Lets the same command take this process' place in `.venv/<library>`, where there is one and this is another."""
    folder = ROOT / ".venv" / library
    python = folder / "bin" / "python"
    if python.exists() and sys.prefix != str(folder):
        os.execv(python, [str(python), "-m", "training", *sys.argv[1:]])  # noqa: S606  our own command, no shell
