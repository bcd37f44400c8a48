"""Turns errors of MLflow's client into errors of one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.exceptions import MlflowException

from services.contract.errors import Refused, reason


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """Raises Refused, with `what` was expected, in place of an error of MLflow's client."""
    try:
        yield
    except MlflowException as error:
        raise Refused(f"expected {what} in MLflow at {mlflow.get_tracking_uri()}, found: {reason(error)}") from error
