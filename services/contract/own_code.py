"""The types of a model's own: its train.py travels with it as `code/train_<SHA-256>.py`, a module of that name.

The name is that of the content, so two models never share a module, and what is imported is what was trained with.
"""

import hashlib
import importlib.abc
import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import yaml

from services.contract.errors import Refused, reason

FOLDER = "code"
_MODULE = re.compile(r"train_[0-9a-f]{64}")


def module_name(source: bytes, stem: str = "train") -> str:
    return f"{stem}_{hashlib.sha256(source).hexdigest()}"


def is_own(name: str) -> bool:
    """Whether `<module>.<type or function>` is of some train.py."""
    return _MODULE.fullmatch(name.partition(".")[0]) is not None


def own_types(folder: Path) -> frozenset[str]:
    """What a logged model says that its own code defines, as `train_<SHA-256>.<name>`; empty for one without code.

    Raises Refused when it names code that is not there, or that was changed.
    """
    if not any(_MODULE.fullmatch(path.stem) for path in (folder / FOLDER).glob("*.py")):
        return frozenset()
    flavors = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8")).get("flavors", {})
    listed = flavors.get("sklearn", {}).get("skops_trusted_types") or []
    found = frozenset(name for name in listed if is_own(name))
    for module in {name.partition(".")[0] for name in found}:
        _source(folder, module)
    return found


def _source(folder: Path, module: str) -> bytes:
    file = folder / FOLDER / f"{module}.py"
    source = file.read_bytes() if file.is_file() else b""
    if module_name(source) != module:
        raise Refused(f"expected {file} with the SHA-256 of its name, found none or another: log the model again")
    return source


def refuse_uncommitted(folder: Path, train_py: Path | None, declared: Iterable[str]) -> None:
    """Raises Refused unless the logged model's own code is the committed train.py, with types that model.yaml declares.

    A model without code of its own passes.
    """
    found = {path.stem for path in (folder / FOLDER).glob("*.py") if _MODULE.fullmatch(path.stem)}
    if not found:
        return
    committed = module_name(train_py.read_bytes()) if train_py and train_py.is_file() else "no train.py"
    if found != {committed}:
        raise Refused(
            f"expected the model's own code to be the committed train.py, {committed[:18]}…, found "
            f"{', '.join(name[:18] for name in sorted(found))}…: commit the train.py of the run, or train again"
        )
    allowed = {name.replace("train", committed, 1) for name in declared}
    if strangers := sorted(own_types(folder) - allowed):
        names = ", ".join(name.replace(committed, "train") for name in strangers)
        raise Refused(f"expected own types that `trusted` of model.yaml declares, found {names}: declare and commit it")


def import_types(folder: Path, names: frozenset[str]) -> None:
    """Runs the code of these types, so that they can be loaded. Raises Refused when it does not run or define them."""
    for name in sorted(names):
        module, _, attribute = name.partition(".")
        found = getattr(_imported(folder, module), attribute, None)
        if (getattr(found, "__module__", None), getattr(found, "__name__", None)) != (module, attribute):
            raise Refused(f"expected {attribute} at the top of the model's train.py, found none: log the model again")


def _imported(folder: Path, name: str) -> ModuleType:
    if known := sys.modules.get(name):
        return known
    source = _source(folder, name)
    try:
        return run_module(name, folder / FOLDER / f"{name}.py", source)
    # Whatever its first lines do may fail.
    except Exception as error:
        del sys.modules[name]
        raise Refused(
            f"expected the model's train.py to run where the model is loaded, found {type(error).__name__}: "
            f"{reason(error)}: import there only what the service has"
        ) from error


class _Source(importlib.abc.SourceLoader):
    """What was read is what runs, and no bytecode is written beside it: it would change the model's digest."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:  # noqa: ARG002
        return self._source


def run_module(name: str, path: Path, source: bytes) -> ModuleType:
    """The module `name` from the content of a file, left in `sys.modules`. Raises whatever it raises."""
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(path, source))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look for their module there while they are made.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
