"""gocd: what an administrator of a GoCD server does for Trackback."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from services.contract.errors import Refused
from services.contract.model_config import list_models
from services.contract.signals import exit_on
from services.delivery.clients.rollout_client import Rollout
from services.delivery.clients.tracking import Tracking, connect
from services.delivery.options import takes
from services.delivery.output import emit, say
from services.delivery.promotions.previews import ScheduleEachPreview
from services.delivery.promotions.promoted import Promoted
from services.delivery.promotions.reconcilers import (
    AskForPoll,
    AskForPreview,
    DefineExperiment,
    DefinePackage,
    KeepPolled,
    create_experiment,
    missing_experiment,
)
from services.delivery.promotions.superseded import ScheduleSuperseded
from services.delivery.settings import Settings
from services.delivery.verbs.follow import Follower, Reconciler
from services.delivery.verbs.gocd_options import FollowOptions, SetUpOptions, TokenRequest
from services.gocd import definitions
from services.gocd.client import GoCD
from services.gocd.definitions import Definition
from services.gocd.ready import refuse_without_plugin, wait_until_up
from services.gocd.setup import SetUp, Step, left_over, refuse_unfinished, set_up
from services.gocd.token import make_token, token_still_works

app = typer.Typer(no_args_is_help=True, help="Set up a GoCD server for Trackback.")


@dataclass(frozen=True)
class Servers:
    """The servers that models are followed between, and the folder that declares the models."""

    gocd: GoCD
    tracking: Tracking
    rollout: Rollout
    models: Path


@app.command("set-up")
@takes(SetUpOptions)
def set_up_gocd(options: SetUpOptions) -> None:
    """Define MLflow's package repository, a package for each model and the config repo; prints JSON.

    What exists is left alone, unless it is ours and --update is given; nothing is removed or unpaused. The experiment
    of a model is created in MLflow where it is missing, because without it GoCD's first look fails. With --followed
    there is no such look, and no message of GoCD's, until something is promoted.

    Example: trackback gocd set-up --url http://gocd.example:8153/go --token-file token --mlflow-url
    http://mlflow.example:5000 --config-repo https://git.example/models.git --dry-run
    """
    settings, request = Settings(), options.token_request()
    models = options.models or settings.models
    wanted = _definitions(options, settings, models)
    with options.connect(settings) as gocd:
        wait_until_up(gocd, options.wait, say)
        refuse_without_plugin(gocd)
        tracking = connect(settings, _mlflow_from_here(options, settings))
        steps = list(_experiments(gocd, tracking, models, options.dry_run))
        steps += set_up(gocd, wanted, say, options.dry_run, options.update)
        steps += [*left_over(gocd, _models(models), say), *_token(gocd.url, request, options.dry_run)]
        emit(SetUp(gocd=gocd.url, dry_run=options.dry_run, steps=tuple(steps)))
        refuse_unfinished(steps)


@app.command("follow")
@takes(FollowOptions)
def follow_promotions(options: FollowOptions) -> None:
    """Look at MLflow every few seconds and let GoCD poll at once what it has not seen; stays until it is ended.

    GoCD itself looks each minute, and rests for five minutes and more after a look that failed. A model that is added
    gets its experiment and its package, which GoCD polls from the first promotion on. Of promotions that come together
    GoCD runs the newest; when that one is refused, the one before it is run. Each run says in its tag
    trackback.outcome what became of it. While a service is away it is waited for.

    Example: trackback gocd follow --url http://gocd.example:8153/go --token-file token
    """
    settings = Settings()
    with exit_on(signal.SIGTERM), options.connect(settings) as gocd:
        tracking, rollout = connect(settings, settings.mlflow_tracking_uri), Rollout(settings.rollout_url)
        follower = _follower(Servers(gocd, tracking, rollout, options.models or settings.models))
        if options.ready:
            options.ready.touch()
        follower.run()


def _follower(servers: Servers) -> Follower:
    say(f"following the models in {servers.models}: MLflow at {servers.tracking.uri}, GoCD at {servers.gocd.url}")
    promoted = Promoted(servers.gocd, servers.tracking)
    reconcilers: list[Reconciler] = [
        DefineExperiment(servers.tracking, promoted, say),
        DefinePackage(servers.gocd, promoted, say),
        KeepPolled(servers.gocd, promoted, say),
        AskForPoll(servers.gocd, promoted, say),
        AskForPreview(servers.gocd, promoted, say),
        ScheduleEachPreview(servers.gocd, promoted, say),
        ScheduleSuperseded(servers.gocd, servers.rollout, servers.tracking.note_outcome, say),
    ]
    return Follower(lambda: list_models(servers.models), reconcilers, say, promoted.begin)


def _definitions(options: SetUpOptions, settings: Settings, models: Path) -> list[Definition]:
    """In the order in which GoCD needs them: the repository, its packages, the pipelines."""
    mlflow = options.mlflow_url or settings.mlflow_tracking_uri
    browser = options.mlflow_ui_url or settings.mlflow_ui_url or mlflow
    wanted = [definitions.repository(mlflow, browser)]
    wanted += [definitions.package(name, options.followed) for name in _models(models)]
    wanted += [definitions.previews(name) for name in _models(models)]
    if options.config_repo:
        wanted.append(definitions.config_repo(options.config_repo, options.config_repo_branch))
    return wanted


def _models(folder: Path) -> list[str]:
    if not (found := list_models(folder)):
        raise Refused(f"{folder}: expected a folder for each model with its model.yaml, found none: see --models")
    return found


def _mlflow_from_here(options: SetUpOptions, settings: Settings) -> str:
    """GoCD may reach MLflow by another name than we do."""
    ours = settings.mlflow_tracking_uri
    return ours if "mlflow_tracking_uri" in settings.model_fields_set else options.mlflow_url or ours


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


def _token(url: str, request: TokenRequest | None, dry_run: bool) -> Iterator[Step]:
    if not request:
        return
    user = request.login.user
    step = Step(kind="access token", id=user, outcome="unchanged")
    if not token_still_works(url, user, request.path):
        step = Step(kind="access token", id=user, outcome="would create" if dry_run else "created")
        if not dry_run:
            make_token(url, request.login, request.path)
    say(f"{step} in {request.path}")
    yield step
