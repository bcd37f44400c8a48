"""MLflow's client for the training job: runs end as what happened, and errors of one line keep their cause."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from requests import RequestException

from services.contract.errors import Refused, disk_problem, reason


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """Raises Refused, with `what` was expected, in place of an error of MLflow's client or of this machine's disk."""
    try:
        yield
    except (MlflowException, RequestException) as error:
        said = f"expected {what} in MLflow at {mlflow.get_tracking_uri()}, found: {reason(error)}{_advice(error)}"
        raise Refused(_without_login(said)) from error
    except OSError as error:
        # A copy names its source first; a write has no name, and is into the folder for temporary files.
        where = error.filename2 or error.filename or tempfile.gettempdir()
        raise Refused(f"expected {what}, found at {where} on this machine: {_own_words(error)}") from error


def _advice(error: Exception) -> str:
    """After its retries MLflow's client no longer has what the server said."""
    return ": the server's log says why" if "error responses" in str(error) else ""


def _without_login(said: str) -> str:
    login, found, _ = urlsplit(mlflow.get_tracking_uri()).netloc.rpartition("@")
    return said.replace(f"{login}@", "") if found else said


def _own_words(error: OSError) -> str:
    if problem := disk_problem(error):
        return f"{problem}: make room or correct its rights"
    return reason(error)


@contextmanager
def mlflow_run(name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    """A run that ends as FINISHED, as KILLED when this process is asked to end, and as FAILED by any other error.

    MLflow's own `with` calls a run FAILED that somebody stopped.
    """
    run = mlflow.start_run(run_name=name, tags=dict(tags), log_system_metrics=True)
    try:
        yield run
    except BaseException as error:
        # Code of a model's own may exit as well, but with no status of a signal.
        by_signal = isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128
        stopped = by_signal or isinstance(error, KeyboardInterrupt)
        # What ends the run matters more than that MLflow could not be told.
        with suppress(MlflowException, OSError):
            mlflow.end_run("KILLED" if stopped else "FAILED")
        raise
    mlflow.end_run()
