"""The commands of a data scientist: train a model, verify a run's data, print the schema of model.yaml."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.tracking_server import refuse_unless_up
from training.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Csv = Annotated[Path | None, typer.Option(help="A file of your own in place of the model's data.", metavar="FILE")]

_WISHES = {
    # Boosted trees take ten times as long when threads sleep at once, and as much where others need the cores when they
    # wait by spinning: so they spin a little.
    "GOMP_SPINCOUNT": "1000",
    # MLflow's own 7 are four minutes of silence.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",
}


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="A folder of training/models.")],
    variant: Annotated[str | None, typer.Option(help="A variant of model.yaml; the first one if not given.")] = None,
    data: Csv = None,
    master: Annotated[
        str | None, typer.Option(help="The Spark cluster to train on, spark://host:port; else this machine.")
    ] = None,
    shuffle_labels: Annotated[bool, typer.Option("--shuffle-labels", help="Plant a bad model.")] = False,
) -> None:
    """Train a model and log the run to MLflow with everything that went into it; prints the run as JSON.

    A file of your own needs a header with the columns of model.yaml and the target; a wrong column or line is named.

    Example: trackback train diamond-price --variant boosted
    """
    settings, say = Settings(), _Progress()
    _prepare(settings)
    from training import job  # after the environment is set: MLflow reads it when it is imported

    order = job.Order(settings.trackback_models, model, variant, data, shuffle_labels, master)
    sys.stdout.write(job.train(order, say).to_json())


@app.command()
def verify_data(
    run: Annotated[str, typer.Argument(help="The run's id, 32 hex digits.")],
    data: Csv = None,
) -> None:
    """Rebuild the data of a run and compare every file and both digests; prints what was verified as JSON.

    A run that was trained with --data needs the same file again. What differs is one line each, and exit 1.

    Example: trackback verify-data 0f3a5b7c9d1e4f60a1b2c3d4e5f60718
    """
    settings, say = Settings(), _Progress()
    if not names.RUN_ID.fullmatch(run):
        raise Refused(f"expected a run id of 32 hex digits, found '{run}': copy it from the run's page in MLflow")
    _prepare(settings)
    from training import verify

    question = verify.Question(settings.trackback_models, run, data, settings.trackback_environments)
    found = verify.verify(question, say)
    if isinstance(found, list):
        sys.stderr.writelines(f"{problem}\n" for problem in found)
        raise typer.Exit(1)
    sys.stdout.write(found.to_json())


@app.command()
def schema() -> None:
    """Print the JSON Schema of model.yaml.

    Example: trackback schema > model.schema.json
    """
    sys.stdout.write(json.dumps(ModelConfig.model_json_schema(), indent=2) + "\n")


class _Progress:
    """Lines for a person, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._started:6.1f} s  {text}\n")


def _prepare(settings: Settings) -> None:
    """Raises Refused when the server does not answer."""
    refuse_unless_up(settings.mlflow_tracking_uri)
    for name, value in _WISHES.items():
        os.environ.setdefault(name, value)
    os.environ.update(_mlflow_environment(settings))


def _mlflow_environment(settings: Settings) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # The server would name its object store as it reaches it itself, which no client outside its network does.
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def main() -> None:
    """Runs the command; what was refused is one line on stderr and exit 1."""
    try:
        app(prog_name="trackback")
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
