"""gocd: what an administrator of a GoCD server does for Trackback."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.contract.errors import Refused
from services.contract.model_config import list_models
from services.contract.secret_file import read_secret
from services.contract.signals import exit_on
from services.delivery.clients.rollout_client import Rollout
from services.delivery.clients.tracking import Tracking, connect
from services.delivery.output import emit, say
from services.delivery.promotions.judge import JudgeSuperseded
from services.delivery.promotions.looks import (
    AskForPoll,
    DefineExperiment,
    DefinePackage,
    KeepPolled,
    create_experiment,
    missing_experiment,
)
from services.delivery.promotions.promoted import Promoted
from services.delivery.settings import Settings
from services.delivery.verbs.follow import Follower, Look
from services.gocd import definitions
from services.gocd.client import GoCD, Login
from services.gocd.ready import refuse_without_plugin, wait_until_up
from services.gocd.setup import SetUp, Step, left_over, refuse_unfinished, set_up
from services.gocd.token import make_token, token_still_works

Url = Annotated[str | None, typer.Option(help="GoCD, with its /go; TRACKBACK_GOCD_URL if not given.")]
Token = Annotated[str | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN", help="An administrator's token.")]
TokenFile = Annotated[Path | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN_FILE", help="The file that holds it.")]
User = Annotated[str | None, typer.Option(help="An administrator, where there is no token yet.")]
PasswordFile = Annotated[Path | None, typer.Option(help="The file that holds the password.")]
Models = Annotated[Path | None, typer.Option(help="The folder of the models; TRACKBACK_MODELS if not given.")]
app = typer.Typer(no_args_is_help=True, help="Set up a GoCD server for Trackback.")


@dataclass(frozen=True)
class Place:
    """The servers that models are followed between, and the folder that declares the models."""

    gocd: GoCD
    tracking: Tracking
    rollout: Rollout
    models: Path


@dataclass(frozen=True)
class TokenOrder:
    """Whose token is wanted, and where."""

    login: Login
    path: Path


@app.command("set-up")
def set_up_gocd(
    url: Url = None,
    token: Token = None,
    token_file: TokenFile = None,
    user: User = None,
    password_file: PasswordFile = None,
    mlflow_url: Annotated[str | None, typer.Option(help="MLflow as GoCD reaches it.")] = None,
    mlflow_ui_url: Annotated[str | None, typer.Option(help="MLflow as a browser reaches it.")] = None,
    config_repo: Annotated[str | None, typer.Option(help="Git URL of the pipelines, as GoCD reaches it.")] = None,
    config_repo_branch: Annotated[str, typer.Option(help="Its branch.")] = "main",
    models: Models = None,
    token_out: Annotated[Path | None, typer.Option(help="Write an access token for the verbs into this file.")] = None,
    operator: Annotated[str | None, typer.Option(help="Whose token that is; the administrator's if not given.")] = None,
    operator_password_file: Annotated[Path | None, typer.Option(help="The file with the operator's password.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a server that is starting.")] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Change definitions of ours that differ.")] = False,
    followed: Annotated[
        bool, typer.Option("--followed", help="'trackback gocd follow' runs: GoCD polls what was promoted once.")
    ] = False,
) -> None:
    """Define MLflow's package repository, a package for each model and the config repo; prints JSON.

    What exists is left alone, unless it is ours and --update is given; nothing is removed or unpaused. The experiment
    of a model is created in MLflow where it is missing, because without it GoCD's first look fails. With --followed
    there is no such look, and no message of GoCD's, until something is promoted.

    Example: trackback gocd set-up --url http://gocd.example:8153/go --token-file token --mlflow-url
    http://mlflow.example:5000 --config-repo https://git.example/models.git --dry-run
    """
    settings = Settings()
    mlflow = mlflow_url or settings.mlflow_tracking_uri
    login = _login(user, password_file)
    order = _token_order(token_out, _login(operator, operator_password_file) or login)
    folder = models or settings.trackback_models
    wanted = [
        definitions.repository(mlflow, mlflow_ui_url or settings.trackback_mlflow_ui_url or mlflow),
        *(definitions.package(name, followed) for name in _models(folder)),
        *([definitions.config_repo(config_repo, config_repo_branch)] if config_repo else []),
    ]
    with _gocd(settings, url, login, token, token_file) as gocd:
        wait_until_up(gocd, wait, say)
        refuse_without_plugin(gocd)
        tracking = connect(settings, _from_here(settings, mlflow))
        steps = [*_experiments(gocd, tracking, folder, dry_run), *set_up(gocd, wanted, say, dry_run, update)]
        steps += [*left_over(gocd, _models(folder), say), *_token(gocd.url, order, dry_run)]
        emit(SetUp(gocd=gocd.url, dry_run=dry_run, steps=tuple(steps)))
        refuse_unfinished(steps)


@app.command("follow")
def follow_promotions(
    url: Url = None,
    token: Token = None,
    token_file: TokenFile = None,
    user: User = None,
    password_file: PasswordFile = None,
    models: Models = None,
    ready: Annotated[Path | None, typer.Option(help="Write this file when it has begun.")] = None,
) -> None:
    """Look at MLflow every few seconds and let GoCD poll at once what it has not seen; stays until it is ended.

    GoCD itself looks each minute, and rests for five minutes and more after a look that failed. A model that is added
    gets its experiment and its package, which GoCD polls from the first promotion on. Of promotions that come together
    GoCD runs the newest; when that one is refused, the one before it is run. Each run says in its tag
    trackback.outcome what became of it. While a service is away it is waited for.

    Example: trackback gocd follow --url http://gocd.example:8153/go --token-file token
    """
    settings = Settings()
    login = _login(user, password_file)
    with exit_on(signal.SIGTERM), _gocd(settings, url, login, token, token_file) as gocd:
        tracking, rollout = connect(settings, settings.mlflow_tracking_uri), Rollout(settings.trackback_rollout_url)
        follower = _follower(Place(gocd, tracking, rollout, models or settings.trackback_models))
        if ready:
            ready.touch()
        follower.run()


def _follower(place: Place) -> Follower:
    say(f"following the models in {place.models}: MLflow at {place.tracking.uri}, GoCD at {place.gocd.url}")
    promoted = Promoted(place.gocd, place.tracking)
    looks: list[Look] = [
        DefineExperiment(place.tracking, promoted, say),
        DefinePackage(place.gocd, promoted, say),
        KeepPolled(place.gocd, promoted, say),
        AskForPoll(place.gocd, promoted, say),
        JudgeSuperseded(place.gocd, place.rollout, place.tracking.note_outcome, say),
    ]
    return Follower(lambda: list_models(place.models), looks, say, promoted.begin)


def _experiments(gocd: GoCD, tracking: Tracking, models: Path, dry_run: bool) -> list[Step]:
    """GoCD can be set up without MLflow, so one that does not answer is no failure."""
    promoted = Promoted(gocd, tracking)
    try:
        found = [missing_experiment(tracking, promoted, model) for model in list_models(models)]
        steps = [create_experiment(tracking, name, say, dry_run) for name in found if name]
    except Refused as refused:
        say(f"note: experiments were not looked for, and GoCD's looks fail without them ({refused})")
        return []
    return steps


def _from_here(settings: Settings, mlflow: str) -> str:
    """GoCD may reach MLflow by another name than we do."""
    return settings.mlflow_tracking_uri if "mlflow_tracking_uri" in settings.model_fields_set else mlflow


def _gocd(settings: Settings, url: str | None, login: Login | None, token: str | None, token_file: Path | None) -> GoCD:
    """Whoever gives a user means that user, whatever token the environment holds for the other verbs."""
    address = _address(url or settings.trackback_gocd_url)
    if login:
        return GoCD(address, login=login)
    ours = address == _address(settings.trackback_gocd_url)
    return GoCD(address, token or _secret(token_file) or (settings.gocd_token if ours else None))


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
    return Login(user, password, password_file) if user and password else None


def _secret(path: Path | None) -> str | None:
    return read_secret(path, "a secret") if path else None


def _token_order(path: Path | None, login: Login | None) -> TokenOrder | None:
    if path and not login:
        raise Refused("expected --user and --password-file for --token-out: GoCD gives tokens for a password only")
    return TokenOrder(login, path) if path and login else None


def _token(url: str, order: TokenOrder | None, dry_run: bool) -> Iterator[Step]:
    if not order:
        return
    user = order.login.user
    step = Step(kind="access token", id=user, outcome="unchanged")
    if not token_still_works(url, user, order.path):
        step = Step(kind="access token", id=user, outcome="would create" if dry_run else "created")
        if not dry_run:
            make_token(url, order.login, order.path)
    say(f"{step} in {order.path}")
    yield step
