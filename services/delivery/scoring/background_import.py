"""Imports slow libraries in a thread while the verb waits for a child process or a service."""

import threading
from importlib import import_module


def import_in_background(*modules: str) -> None:
    """Returns at once; a later import of one of the modules waits for this one to end.

    One after another, because two threads that import what imports each other see it half made.
    """
    threading.Thread(target=_import, args=(modules,), name="background-import", daemon=True).start()


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)
