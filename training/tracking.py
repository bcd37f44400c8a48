"""MLflow's client as a training job uses it: what it refuses is one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.exceptions import MlflowException

from services.contract.errors import Refused


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """Raises Refused in place of an error of MLflow's client."""
    try:
        yield
    except MlflowException as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(f"expected {what} in MLflow at {mlflow.get_tracking_uri()}, found: {first_line}") from error
