"""Modules that are found by their name, so that one more of a kind is one more file."""

import pkgutil
from importlib import import_module
from types import ModuleType

from services.contract.errors import Refused


def find_module(package: str, name: str, what: str) -> ModuleType:
    """The module `name` of a package; `what` says in words what it is for.

    Raises Refused when there is none, naming those there are, or when a library that it imports is not installed.
    """
    known = sorted(found.name for found in pkgutil.iter_modules(import_module(package).__path__))
    if name not in known:
        raise Refused(f"expected {what} {', '.join(known)}, found '{name}'")
    try:
        return import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        raise Refused(
            f"expected an environment with {error.name} for {what} {name}, found none here: scripts/setup makes one"
        ) from error
