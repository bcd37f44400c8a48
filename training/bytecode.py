"""Code that travels with a model, and nothing that Python made of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_bytecode() -> Iterator[None]:
    """MLflow loads what it has written before it uploads the folder. What Python compiles then has the time of a file
    in it, so that the same model would have another digest each time."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
