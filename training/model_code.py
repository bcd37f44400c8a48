"""Loads `data.py` and `train.py` of a model's folder, which a data scientist writes, and tells what they raise."""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from services.contract.errors import Refused, reason
from services.contract.own_code import module_name, run_module


@dataclass(frozen=True)
class _Loaded:
    module: ModuleType
    source: bytes


# By the name of the module: what a model's own types are logged with.
_LOADED: dict[str, _Loaded] = {}


def find_function(folder: Path, file: str, name: str) -> Callable[..., Any]:
    """The function `name` of `<folder>/<file>`, which is run.

    Raises Refused when there is no such file or function, and for what the file raises.
    """
    path = folder / file
    if not path.is_file():
        raise Refused(f"expected {path}, found none: docs/bring-your-own-model.md shows what it holds")
    source = path.read_bytes()
    module = _run(module_name(source, path.stem), path, source)
    _LOADED[module.__name__] = _Loaded(module, source)
    if not callable(found := getattr(module, name, None)):
        raise Refused(f"{path}: expected a function '{name}', found none: docs/bring-your-own-model.md shows it")
    return found  # type: ignore[no-any-return]


def source_of(module: str) -> bytes:
    """The file that was run as this module."""
    return _LOADED[module].source


@contextmanager
def importable(modules: Iterable[str]) -> Iterator[None]:
    """Modules that were run can be imported by their names meanwhile, as MLflow does when it logs a model."""
    sys.modules.update({name: _LOADED[name].module for name in modules})
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)


def _run(name: str, path: Path, source: bytes) -> ModuleType:
    try:
        with named(path, "Python that can be run"):
            return run_module(name, path, source)
    finally:
        # Processes that scikit-learn starts get its types by value, because they could not import it.
        sys.modules.pop(name, None)


@contextmanager
def named(path: Path, expected: str) -> Iterator[None]:
    """Raises Refused, with the file, its line and the error's own words, for whatever is raised inside."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        line = _line(path, error)
        where = f"{path}:{line}" if line else str(path)
        if isinstance(error, ImportError):
            raise Refused(f"{where}: {_missing_package(error)}") from error
        raise Refused(f"{where}: expected {expected}, found {type(error).__name__}: {reason(error)}") from error


def _missing_package(error: ImportError) -> str:
    """Each library has an environment of its own; which one this is, a person cannot know from the error."""
    environment = Path(sys.prefix).name
    found = f"no '{error.name}'" if isinstance(error, ModuleNotFoundError) and error.name else reason(error)
    return (
        f"expected the environment '{environment}' to have what it imports, found {found}: add the package to "
        f"requirements/{environment}.in, then scripts/lock and scripts/setup {environment}"
    )


def _line(path: Path, error: Exception) -> int | None:
    """The last line of the file on the way to the error, None when the file had no part in it."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
