"""The commands train, check, notebook, verify-data, reproduce and schema."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.signals import surely_exit_on
from services.contract.verdict import Verdict
from training.library_environment import enter_own
from training.machine import end_children
from training.settings import Settings

# As a shell tells of a program that a signal ended.
_TERMINATED, _INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Csv = Annotated[Path | None, typer.Option(help="A file of your own in place of the model's data.", metavar="FILE")]


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="A folder of training/models.")],
    variant: Annotated[str | None, typer.Option(help="A variant of model.yaml; the first one if not given.")] = None,
    data: Csv = None,
    master: Annotated[
        str | None, typer.Option(help="The Spark cluster to train on, spark://host:port; else this machine.")
    ] = None,
    shuffle_labels: Annotated[
        bool, typer.Option("--shuffle-labels", help="Train a bad model on purpose, to see a gate stop it.")
    ] = False,
) -> None:
    """Train a model and log the run to MLflow with everything that went into it; prints the run as JSON.

    A file of your own needs a header with the columns of model.yaml and the target; a wrong column or line is named.

    Example: trackback train diamond-price --variant boosted
    """
    settings, say = Settings(), _Progress()
    settings.prepare()
    _enter_own_environment(settings, model)
    from training import job  # after the environment is set: MLflow reads it when it is imported

    request = job.TrainRequest(settings.trackback_models, model, variant, data, shuffle_labels, master)
    sys.stdout.write(job.train(request, say).to_json())


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="A folder of training/models.")],
    variant: Annotated[str | None, typer.Option(help="A variant of model.yaml; all of them if not given.")] = None,
    data: Csv = None,
) -> None:
    """Find what a later step would refuse, in seconds and without MLflow: fits a few rows and asks the gates.

    Looks at model.yaml, types and rows, hold-out, and of each variant at plan, gates, what can be
    stored and served. Each line says what was found, and what to do about it. Exit 1 unless all
    pass.

    Example: trackback check diamond-price
    """
    settings = Settings()
    os.environ.update(settings.library_environment(os.environ))
    _enter_own_environment(settings, model)
    from training import check as checks

    request = checks.CheckRequest(settings.trackback_models, model, settings.trackback_environments, data, variant)
    passed = True
    for finding in checks.check(request):
        sys.stdout.write(f"{finding}\n")
        sys.stdout.flush()
        passed = passed and finding.verdict is Verdict.PASS
    if not passed:
        raise typer.Exit(1)


@app.command()
def notebook(
    file: Annotated[Path, typer.Argument(help="A notebook that logs a model with `import trackback`.", metavar="FILE")],
    out: Annotated[
        Path | None, typer.Option(help="Where the notebook with its outputs goes; into FILE if not given.")
    ] = None,
) -> None:
    """Run a notebook from top to bottom, keep its outputs, print the run that it logged as JSON.

    Example: trackback notebook training/notebooks/diamond-price.ipynb
    """
    Settings().prepare()
    from training import executed_notebook

    sys.stdout.write(executed_notebook.execute(file, out or file).to_json())


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
    _refuse_unless_id(run)
    settings.prepare()
    from training import verify

    request = verify.VerifyRequest(settings.trackback_models, run, data, settings.trackback_environments)
    found = verify.verify(request, say)
    if isinstance(found, list):
        sys.stderr.writelines(f"{problem}\n" for problem in found)
        raise typer.Exit(1)
    sys.stdout.write(found.to_json())


@app.command()
def reproduce(
    run: Annotated[str, typer.Argument(help="The run's id, 32 hex digits.")],
    data: Csv = None,
) -> None:
    """Train a run again from its commit, environment and data, in a fresh folder; prints both runs as a table.

    Exit 1 unless data and environment are equal, and metrics too (of fastText: within an interval).

    Example: trackback reproduce 0f3a5b7c9d1e4f60a1b2c3d4e5f60718
    """
    settings, say = Settings(), _Progress()
    _refuse_unless_id(run)
    settings.prepare()
    from training import reproduce as again

    request = again.ReproduceRequest(settings.trackback_models, run, data, settings.trackback_environments)
    found = again.reproduce(request, say)
    sys.stdout.write(found.table())
    if not found.reproduced:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of model.yaml.

    Example: trackback schema > model.schema.json
    """
    sys.stdout.write(json.dumps(ModelConfig.model_json_schema(), indent=2) + "\n")


class _Progress:
    """Writes lines to stderr, each with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._started:6.1f} s  {text}\n")


def _refuse_unless_id(run: str) -> None:
    if not names.RUN_ID.fullmatch(run):
        raise Refused(f"expected a run id of 32 hex digits, found '{run}': copy it from the run's page in MLflow")


def _enter_own_environment(settings: Settings, model: str) -> None:
    library = load_model_config(settings.trackback_models, model).library
    enter_own(library, settings.trackback_models / model, settings.trackback_environments)


def main() -> None:
    """Runs the command. Refused is one line on stderr and exit 1; a signal is one line and 128 with its number."""
    try:
        with surely_exit_on(signal.SIGTERM, signal.SIGINT):
            app(prog_name="trackback")
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
    except SystemExit as ended:
        if ended.code in (_TERMINATED, _INTERRUPTED):
            end_children()
            sys.stderr.write("stopped by a signal: a run that had begun is KILLED in MLflow\n")
        raise
