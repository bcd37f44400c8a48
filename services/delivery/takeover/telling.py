"""How a rollout ended, told to those who were not there: the run in MLflow, its aliases, and the notified."""

from services.contract.candidate import Candidate
from services.contract.release import Release
from services.contract.watched import Ending, Watched
from services.delivery.clients.rollout_client import Rollout
from services.delivery.reports.aliases import tell_aliases
from services.delivery.reports.gate_notification import notify_of_step
from services.delivery.reports.run_page import follow_with_alias, tell_live, tell_rollout
from services.delivery.settings import Settings


def tell_stepped_back(settings: Settings, candidate: Candidate, words: str) -> None:
    """Of a candidate that was taken back before it was live, of which the rollout service notifies. Never raises."""
    tell_rollout(settings, candidate, words)


def tell_ending(settings: Settings, rollout: Rollout, release: Release, found: Watched) -> None:
    """Raises Refused when the rollout service cannot say what is live."""
    candidate = release.manifest.candidate
    tell_rollout(settings, candidate, found.words)
    if found.ending is Ending.TAKEN_BACK:
        if live := rollout.state(found.model).live:
            follow_with_alias(settings, live)
        tell_aliases(settings, rollout, found.model)
        tell_live(settings, rollout, found.model)
    if found.ending in (Ending.TAKEN_BACK, Ending.UNWATCHED):
        notify_of_step(settings, candidate, found.verdict, found.words, stage="watch")
