"""What a stage tells the ledger of its model: once, without waiting, because no verdict depends on it.

What answers one day has told its promotion and its release by then, because the rollout service reads them from its
manifest; only a refusal that could not be told is missing from the ledger.
"""

from services.contract.candidate import Candidate, PipelineRef
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.ledger import LONGEST_WORDS, JournalEvent, LedgerNote
from services.contract.promotion import Promotion
from services.contract.release import Release
from services.contract.validation import Validation
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import say
from services.delivery.settings import Settings


def note_promoted(settings: Settings, candidate: Candidate) -> None:
    promotion = candidate.promotion
    if candidate.promoted:
        by, why = promotion.promoted_by[:LONGEST_WORDS], promotion.reason[:LONGEST_WORDS]
        _note(settings, promotion, candidate.pipeline, JournalEvent.PROMOTED, by=by, message=why)


def note_unfit(settings: Settings, promotion: Promotion, pipeline: PipelineRef | None, why: str) -> None:
    """What `fetch` refused, before there was a candidate."""
    message = why[:LONGEST_WORDS]
    _note(settings, promotion, pipeline, JournalEvent.GATE_REFUSED, stage="fetch", message=message)


def note_refused(
    settings: Settings, candidate: Candidate, judged: Validation | Comparison, why: str, stage: str = ""
) -> None:
    """Of a promotion that a gate stops."""
    if candidate.promoted and not judged.passes:
        message, at = f"{judged.verdict}: {why}"[:LONGEST_WORDS], stage or judged.stage
        _note(settings, candidate.promotion, candidate.pipeline, JournalEvent.GATE_REFUSED, stage=at, message=message)


def note_packaged(settings: Settings, release: Release) -> None:
    candidate = release.manifest.candidate
    if candidate.promoted:
        kept = release.digest
        _note(settings, candidate.promotion, candidate.pipeline, JournalEvent.PACKAGED, release=kept)


def note_withdrawn(settings: Settings, candidate: Candidate, why: str, stage: str) -> None:
    _note(settings, candidate.promotion, candidate.pipeline, JournalEvent.WITHDRAWN, stage=stage, message=why)


def _note(
    settings: Settings, promotion: Promotion, pipeline: PipelineRef | None, event: JournalEvent, **told: str
) -> None:
    named = {"event": event, "revision": promotion.label, "run_id": promotion.run_id, "pipeline": pipeline}
    try:
        rollout = Rollout(settings.rollout_url, token=settings.rollout_access_token)
        rollout.note(promotion.model, LedgerNote.model_validate({**named, **told}))
    except Refused as refused:
        say(f"note: the ledger of {promotion.model} was not told of this ({refused})")
