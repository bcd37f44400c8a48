"""The aliases of the registered model in MLflow: `champion` answers, `previous` did before, `candidate` may be next."""

from services.contract import names
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.release import Release
from services.delivery.clients.registry import Registry
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import say
from services.delivery.reports.run_page import SECONDS, version_of
from services.delivery.settings import Settings


def tell_candidate(settings: Settings, release: Release) -> None:
    """What was packaged last. Never raises: no stage waits for it."""
    promotion = release.manifest.candidate.promotion
    if not release.manifest.candidate.promoted or promotion.model_id is None:
        return
    try:
        with _registry(settings) as registry:
            version = registry.versions.of_model(release.manifest.model, promotion.run_id, promotion.model_id)
            registry.versions.set_alias(version, names.CANDIDATE_ALIAS)
    except Refused as refused:
        say(f"note: the alias '{names.CANDIDATE_ALIAS}' of {release.manifest.model} was not moved ({refused})")


def tell_aliases(settings: Settings, rollout: Rollout, model: str) -> None:
    """`previous` follows, `candidate` goes once it answers, `champion` when nothing does. Never raises."""
    try:
        state = rollout.state(model)
        with _registry(settings) as registry:
            _follow(registry, model, names.PREVIOUS_ALIAS, state.previous)
            if state.retired:
                registry.versions.delete_alias(model, names.CHAMPION_ALIAS)
            if state.live and _points_at(registry, model, names.CANDIDATE_ALIAS, state.live):
                registry.versions.delete_alias(model, names.CANDIDATE_ALIAS)
    except Refused as refused:
        say(
            f"note: the aliases of {model} in MLflow did not follow ({refused}): the next deploy or rollback moves them"
        )


def _follow(registry: Registry, model: str, alias: str, deployment: Deployment | None) -> None:
    if deployment:
        registry.versions.set_alias(version_of(registry, deployment), alias)
    else:
        registry.versions.delete_alias(model, alias)


def _points_at(registry: Registry, model: str, alias: str, deployment: Deployment) -> bool:
    pointed = registry.versions.of_alias(model, alias)
    return pointed is not None and pointed.number == version_of(registry, deployment).number


def _registry(settings: Settings) -> Registry:
    return Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization, seconds=SECONDS)
