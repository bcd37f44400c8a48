"""Keeps pyarrow, which only batches need, out of a process that answers online."""

import contextlib
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast


def leave_arrow_out() -> None:
    """pandas imports pyarrow wherever it is installed, for half a second and 33 MB that no answer needs. Where
    MLflow is installed a model of any flavor may need it."""
    if not find_spec("mlflow"):
        import_pandas_alone()


def import_pandas_alone() -> None:
    """Where there is pandas. Afterwards pyarrow can be imported as ever."""
    if "pyarrow" in sys.modules:
        return
    # So an import of it fails.
    sys.modules["pyarrow"] = cast(Any, None)
    try:
        with contextlib.suppress(ModuleNotFoundError):
            import_module("pandas")
    finally:
        del sys.modules["pyarrow"]
