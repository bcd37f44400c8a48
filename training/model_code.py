"""Loads `data.py` and `train.py` of a model's folder, which a data scientist writes."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.contract.errors import Refused


def find_function(folder: Path, file: str, name: str) -> Callable[..., Any]:
    """The function `name` of `<folder>/<file>`, which is run. Raises Refused when there is no such file or function."""
    path = folder / file
    spec = importlib.util.spec_from_file_location(f"{folder.name}.{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise Refused(f"expected {path}, found none: docs/bring-your-own-model.md shows what it holds")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(found := getattr(module, name, None)):
        raise Refused(f"{path}: expected a function '{name}', found none: docs/bring-your-own-model.md shows it")
    return found  # type: ignore[no-any-return]
