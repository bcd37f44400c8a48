"""The commands of a data scientist: train a model, print the schema of model.yaml."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.tracking_server import refuse_unless_up
from training.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="A folder of training/models.")],
    variant: Annotated[str | None, typer.Option(help="A variant of model.yaml; the first one if not given.")] = None,
    data: Annotated[Path | None, typer.Option(help="CSV with the declared columns and the target.")] = None,
    shuffle_labels: Annotated[bool, typer.Option("--shuffle-labels", help="Plant a bad model.")] = False,
) -> None:
    """Train a model and log the run to MLflow with everything that went into it; prints the run as JSON.

    Example: trackback train diamond-price --variant boosted
    """
    settings = Settings()
    refuse_unless_up(settings.mlflow_tracking_uri)
    os.environ.update(_mlflow_environment(settings))
    from training import job  # after the environment is set: MLflow reads it when it is imported

    order = job.Order(settings.trackback_models, model, variant, data, shuffle_labels)
    sys.stdout.write(job.train(order, _say).to_json())


@app.command()
def schema() -> None:
    """Print the JSON Schema of model.yaml.

    Example: trackback schema > model.schema.json
    """
    sys.stdout.write(json.dumps(ModelConfig.model_json_schema(), indent=2) + "\n")


def _mlflow_environment(settings: Settings) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> None:
    """Runs the command; what was refused is one line on stderr and exit 1."""
    try:
        app(prog_name="trackback")
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
