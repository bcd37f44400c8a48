"""gocd: what an administrator of a GoCD server does for Trackback."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.contract.errors import Refused
from services.contract.model_config import list_models
from services.delivery.output import emit, say
from services.delivery.settings import Settings
from services.gocd import definitions
from services.gocd.client import GoCD, Login
from services.gocd.ready import refuse_without_plugin, wait_until_up
from services.gocd.setup import SetUp, Step, set_up
from services.gocd.token import make_token, token_still_works

LOOK_SECONDS = 2.0
app = typer.Typer(no_args_is_help=True, help="Set up a GoCD server for Trackback.")


@app.callback()
def _about() -> None:
    """Without it, typer would make the one command the whole verb."""


@dataclass(frozen=True)
class TokenOrder:
    """Whose token is wanted, and where."""

    login: Login
    path: Path


@app.command("set-up")
def set_up_gocd(
    url: Annotated[str | None, typer.Option(help="GoCD, with its /go; TRACKBACK_GOCD_URL if not given.")] = None,
    token: Annotated[str | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN", help="An administrator's token.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN_FILE", help="The file that holds it.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="An administrator, where there is no token yet.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="The file that holds the password.")] = None,
    mlflow_url: Annotated[str | None, typer.Option(help="MLflow as GoCD reaches it.")] = None,
    mlflow_ui_url: Annotated[str | None, typer.Option(help="MLflow as a browser reaches it.")] = None,
    config_repo: Annotated[str | None, typer.Option(help="Git URL of the pipelines, as GoCD reaches it.")] = None,
    config_repo_branch: Annotated[str, typer.Option(help="Its branch.")] = "main",
    models: Annotated[
        Path | None, typer.Option(help="The folder of the models; TRACKBACK_MODELS if not given.")
    ] = None,
    token_out: Annotated[Path | None, typer.Option(help="Write an access token for the verbs into this file.")] = None,
    operator: Annotated[str | None, typer.Option(help="Whose token that is; the administrator's if not given.")] = None,
    operator_password_file: Annotated[Path | None, typer.Option(help="The file with the operator's password.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a server that is starting.")] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Change definitions of ours that differ.")] = False,
    follow: Annotated[
        Path | None, typer.Option(help="Write this file when done, stay, and define each model that is added.")
    ] = None,
) -> None:
    """Define MLflow's package repository, a package for each model and the config repo; prints JSON.

    What exists is left alone, unless it is ours and --update is given; nothing is removed or unpaused.

    Example: trackback gocd set-up --url http://gocd.example:8153/go --token-file token --mlflow-url
    http://mlflow.example:5000 --config-repo https://git.example/models.git --dry-run
    """
    settings = Settings()
    mlflow = mlflow_url or settings.mlflow_tracking_uri
    login = _login(user, password_file)
    order = _token_order(token_out, _login(operator, operator_password_file) or login)
    address = _address(url or settings.trackback_gocd_url)
    folder = models or settings.trackback_models

    def define(names: list[str]) -> None:
        wanted = [
            definitions.repository(mlflow, mlflow_ui_url or settings.trackback_mlflow_ui_url or mlflow),
            *(definitions.package(name) for name in names),
            *([definitions.config_repo(config_repo, config_repo_branch)] if config_repo else []),
        ]
        # Whoever gives a user means that user, whatever token the environment holds for the other verbs.
        ours = settings.gocd_token if address == settings.trackback_gocd_url else None
        with GoCD(address, None if login else token or _secret(token_file) or ours, login) as gocd:
            wait_until_up(gocd, wait, say)
            refuse_without_plugin(gocd)
            steps = [*set_up(gocd, wanted, say, dry_run, update), *_token(address, order, dry_run)]
        emit(SetUp(gocd=address, dry_run=dry_run, steps=tuple(steps)))

    known = _models(folder)
    define(known)
    if follow and not dry_run:
        _follow(folder, known, define, follow)


def _follow(folder: Path, known: list[str], define: Callable[[list[str]], None], ready: Path) -> None:
    """Until SIGTERM. What is refused is said, and tried again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ready.touch()
    while True:
        time.sleep(LOOK_SECONDS)
        if (found := list_models(folder)) != known:
            try:
                define(found)
                known = found
            except Refused as refused:
                say(str(refused))


def _models(folder: Path) -> list[str]:
    if not (found := list_models(folder)):
        raise Refused(f"{folder}: expected a folder for each model with its model.yaml, found none: see --models")
    return found


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise Refused(f"expected a URL of GoCD such as http://gocd.example:8153/go, found '{url}'")
    return url.rstrip("/")


def _login(user: str | None, password_file: Path | None) -> Login | None:
    if (user is None) != (password_file is None):
        raise Refused("expected a user together with the file of the password, found one without the other")
    password = _secret(password_file)
    return (user, password) if user and password else None


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        if value := path.read_text(encoding="utf-8").strip():
            return value
    except OSError as error:
        raise Refused(f"{path}: expected a secret, cannot read it: {error.strerror}") from error
    raise Refused(f"{path}: expected a secret, found an empty file")


def _token_order(path: Path | None, login: Login | None) -> TokenOrder | None:
    if path and not login:
        raise Refused("expected --user and --password-file for --token-out: GoCD gives tokens for a password only")
    return TokenOrder(login, path) if path and login else None


def _token(url: str, order: TokenOrder | None, dry_run: bool) -> Iterator[Step]:
    if not order:
        return
    user = order.login[0]
    step = Step(kind="access token", id=user, outcome="unchanged")
    if not token_still_works(url, user, order.path):
        step = Step(kind="access token", id=user, outcome="would create" if dry_run else "created")
        if not dry_run:
            make_token(url, order.login, order.path)
    say(f"{step} in {order.path}")
    yield step
