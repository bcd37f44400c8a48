"""Imports a slow library in a thread while the verb waits for a child process or a service."""

import threading
from importlib import import_module


def import_in_background(module: str) -> None:
    """Returns at once; a later import of the module waits for this one to end."""
    threading.Thread(target=import_module, args=(module,), name=f"import-{module}", daemon=True).start()
