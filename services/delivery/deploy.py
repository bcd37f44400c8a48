"""deploy: let the release answer, see it answer, and only then move the champion alias."""

import getpass
from pathlib import Path
from typing import Annotated

import httpx
import typer

from services.contract import names
from services.contract.deployment import Deployment, DeployRequest
from services.contract.errors import Refused
from services.contract.release import Release
from services.delivery.ahead import import_ahead
from services.delivery.output import keep, say
from services.delivery.rollout_client import PATIENCE, Rollout
from services.delivery.settings import Settings
from services.delivery.store import Store


def deploy(
    release: Annotated[Path, typer.Option(help="release.json as package wrote it.")],
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
) -> None:
    """Switch the model's service to the release without losing a request; the alias 'champion' follows.

    Exit 1 and the previous release still answers when the new one cannot be loaded, answers differently or is
    older than what was delivered before. Example: trackback deploy --release out/release.json
    """
    import_ahead("services.delivery.registry")
    settings = Settings()
    found = Release.read(release)
    deployment = deployed(settings, found)
    say(f"{found.manifest.model} {found.manifest.revision} answers since {deployment.at:%H:%M:%S} UTC")
    _crown(settings, found)
    keep(deployment, out, names.DEPLOYMENT_FILE)


def deployed(settings: Settings, release: Release) -> Deployment:
    """Raises Refused when the rollout service says no, or another release answers than this one."""
    Store(settings.trackback_store).release(release.digest)
    rollout = Rollout(settings.trackback_rollout_url, PATIENCE, settings.rollout_token)
    model, promotion = release.manifest.model, release.manifest.candidate.promotion
    request = DeployRequest(
        release=release.digest, by=promotion.promoted_by or getpass.getuser(), reason=promotion.reason
    )
    deployment = rollout.deploy(model, request)
    _see_it_answer(settings.answers_at(model) or rollout.state(model).url, release)
    return deployment


def _see_it_answer(url: str | None, release: Release) -> None:
    """Asks the service itself, because only its own word counts."""
    try:
        found = httpx.get(f"{url}/health/ready", timeout=10).headers.get(names.RELEASE_HEADER)
    except httpx.HTTPError as error:
        raise Refused(f"expected release {release.digest[:12]}… at {url}, cannot reach it: {error}") from error
    if found != release.digest:
        raise Refused(f"expected release {release.digest[:12]}… to answer at {url}, found {found or 'no name'}")


def _crown(settings: Settings, release: Release) -> None:
    from services.delivery.registry import Registry  # imported ahead, while the release is put live

    candidate = release.manifest.candidate
    registry = Registry(settings.mlflow_tracking_uri)
    try:
        version = registry.crown(release.manifest.model, candidate.run.run_id, str(candidate.promotion.model_id))
    except Refused as refused:
        raise Refused(f"the release answers, but {refused}; run this stage again") from refused
    say(f"alias '{names.CHAMPION_ALIAS}' of {release.manifest.model} is version {version}")
