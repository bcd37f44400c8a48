"""A promotion that was withdrawn on its way: somebody took the tag off its run."""

from services.contract.candidate import Candidate
from services.contract.errors import Refused
from services.contract.release import Release
from services.contract.rollout_plan import WhenWithdrawn
from services.delivery.clients.registry import Registry
from services.delivery.output import say
from services.delivery.reports.ledger_notes import note_withdrawn
from services.delivery.settings import Settings


def refuse_withdrawn(settings: Settings, candidate: Candidate) -> None:
    """Raises Refused before anything is packaged."""
    if words := _withdrawn(settings, candidate):
        note_withdrawn(settings, candidate, words, stage="package")
        raise Refused(f"{words}: nothing is packaged; promote the run again if it is to be delivered")


def record_withdrawn(settings: Settings, release: Release) -> None:
    """Of a release that is about to be deployed. Raises Refused where its model.yaml says that it is to stop."""
    if not (words := _withdrawn(settings, release.manifest.candidate)):
        return
    note_withdrawn(settings, release.manifest.candidate, words, stage="deploy")
    if release.manifest.rollout.withdrawn is WhenWithdrawn.STOP:
        raise Refused(f"{words}, and model.yaml has 'rollout.withdrawn: stop': promote the run again")
    say(f"note: {words}; it was packaged before, so it is deployed: `trackback rollback` takes it back")


def _withdrawn(settings: Settings, candidate: Candidate) -> str | None:
    """In words. None when the run has its tag, when an alias promoted it, and while MLflow cannot be asked."""
    promotion = candidate.promotion
    if not (candidate.promoted and promotion.tag):
        return None
    try:
        with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization) as registry:
            tags = registry.run(promotion.run_id).data.tags
    except Refused:
        return None
    if tags.get(promotion.tag):
        return None
    return f"{promotion.label} was withdrawn, since run {promotion.run_id} has no tag '{promotion.tag}' any more"
