"""Which interpreter a library runs in: one of its own below the folder of environments, else whichever asks."""

from pathlib import Path


def python_of(library: str, environments: Path) -> Path | None:
    """`<environments>/<library>/bin/python`; None when the library has no environment of its name."""
    python = environments / library / "bin" / "python"
    return python if python.exists() else None
