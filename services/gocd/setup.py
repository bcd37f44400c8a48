"""Teach a GoCD server about MLflow: one package repository, one package a model. Removes nothing."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import list_models
from services.gocd.client import GoCD, Json


def set_up(gocd: GoCD, mlflow_url: str, ui_url: str, models: list[str], say: Callable[[str], None]) -> None:
    """Creates what is missing; running it again changes nothing. Raises Refused when GoCD says no."""
    if names.REPOSITORY_ID not in {known["repo_id"] for known in gocd.repositories()}:
        gocd.create_repository(_repository(mlflow_url, ui_url))
        say(f"created package repository '{names.REPOSITORY_ID}' for {mlflow_url}")
    known_packages = {known["id"] for known in gocd.packages()}
    for model in sorted(set(models) - known_packages):
        gocd.create_package(_package(model))
        say(f"created package '{model}'")


def _repository(mlflow_url: str, ui_url: str) -> Json:
    return {
        "repo_id": names.REPOSITORY_ID,
        "name": names.REPOSITORY_ID,
        "plugin_metadata": {"id": names.PLUGIN_ID, "version": "1"},
        "configuration": [{"key": "MLFLOW_URL", "value": mlflow_url}, {"key": "MLFLOW_UI_URL", "value": ui_url}],
    }


def _package(model: str) -> Json:
    return {
        "id": model,
        "name": model,
        "auto_update": True,
        "package_repo": {"id": names.REPOSITORY_ID},
        "configuration": [{"key": "EXPERIMENT", "value": model}, {"key": "TAG", "value": names.PROMOTE_TAG}],
    }


def main(
    url: Annotated[str, typer.Option(help="GoCD, with its /go.")],
    mlflow_url: Annotated[str, typer.Option(help="MLflow as GoCD reaches it.")],
    models: Annotated[Path, typer.Option(help="The folder training/models.")],
    mlflow_ui_url: Annotated[str | None, typer.Option(help="MLflow as a browser reaches it.")] = None,
    token: Annotated[str | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN", help="A GoCD access token.")] = None,
) -> None:
    """Create the package repository 'mlflow' and a package for each model.

    Example: python -m services.gocd.setup --url http://127.0.0.1:8153/go --mlflow-url http://127.0.0.1:5000
    --models training/models
    """
    try:
        with GoCD(url, token) as gocd:
            set_up(gocd, mlflow_url, mlflow_ui_url or mlflow_url, list_models(models), _say)
    except Refused as refused:
        _say(str(refused))
        raise typer.Exit(1) from None


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    typer.run(main)
