"""Waits for the end of a release's bake, and says how it ended; the ledger decides."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.contract.deployment import ANALYSIS, Action, ModelState
from services.contract.errors import Refused
from services.contract.ledger import JournalEntry, JournalEvent
from services.contract.release import Release
from services.contract.rollout_step import StepStatus
from services.contract.verdict import Verdict
from services.contract.watched import Ending, Watched, WatchedStep
from services.delivery.clients.rollout_client import Rollout
from services.delivery.takeover.progress import Progress
from services.delivery.takeover.words import step_words

PAUSE_SECONDS = 0.5
# Each look reads the whole ledger while another release's step hides the bake.
HIDDEN_PAUSE_SECONDS = 5.0
# A person who ends it, or another release, says nothing of how good it was.
_VERDICTS = {Ending.RELEASED: Verdict.PASS, Ending.TAKEN_BACK: Verdict.FAIL}


def watched(
    rollout: Rollout, release: Release, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> Watched:
    """Returns when the bake is over. Raises Refused when the release never became live."""
    model, progress = release.manifest.model, Progress(say)
    seen: StepStatus | None = None
    while True:
        seconds = PAUSE_SECONDS
        state = rollout.state(model)
        if state.step and state.step.release == release.digest:
            seen = state.step
            progress.tell(f"{seen.step}, {seen.paused}", step_words(seen))
        # Asked for after the state: whoever is in no step any more has ended in the ledger.
        elif found := ended(release, state, entries := rollout.ledger(model)):
            return _record(release, found, entries, seen)
        else:
            progress.tell("another", f"{release.manifest.revision} is in its bake, and another one in its steps")
            seconds = HIDDEN_PAUSE_SECONDS
        pause(seconds)


@dataclass(frozen=True)
class Ended:
    ending: Ending
    words: str
    verdict: Verdict


def ended(release: Release, state: ModelState, entries: Sequence[JournalEntry]) -> Ended | None:
    """How it ended; None while another one's step hides its own. Raises Refused when it never became live."""
    revision = release.manifest.revision
    began = next((place for place, one in enumerate(entries) if _became_live(one, release)), None)
    if began is None:
        raise Refused(f"expected {revision} in the ledger as live, found nothing of it: run the stage deploy first")
    if why := _unbaked(release, entries[:began]):
        return _end(Ending.RELEASED, f"{revision} is released at once: {why}")
    later = entries[began + 1 :]
    if found := next((end for entry in later if (end := _end_by(entry, release))), None):
        return found
    return None if state.step else _unwatched(revision, state, later)


def _became_live(entry: JournalEntry, release: Release) -> bool:
    deployed = entry.deployment is not None and entry.deployment.action is Action.DEPLOY
    return entry.event is JournalEvent.LIVE and entry.release == release.digest and deployed


def _unbaked(release: Release, before: Sequence[JournalEntry]) -> str:
    if not release.manifest.rollout.bake:
        return "its model.yaml has no bake"
    return "" if any(one.event is JournalEvent.LIVE for one in before) else "nothing was live before it to go back to"


def _end_by(entry: JournalEntry, release: Release) -> Ended | None:
    revision, who = release.manifest.revision, f"by {entry.by}{f': {entry.message}' if entry.message else ''}"
    match entry.event:
        case JournalEvent.RELEASED if entry.release == release.digest:
            return _end(Ending.RELEASED, f"{revision} is released: {entry.message}")
        case JournalEvent.RETIRED:
            return _end(Ending.RETIRED, f"{revision} was retired in its bake {who}")
        case JournalEvent.LIVE if entry.deployment and entry.deployment.action is Action.DEPLOY:
            return _end(Ending.REPLACED, f"{revision} was replaced in its bake by {entry.deployment.revision}, {who}")
        case JournalEvent.LIVE if entry.by == ANALYSIS:
            return _end(Ending.TAKEN_BACK, entry.message)
        case JournalEvent.LIVE:
            words = f"{revision} was taken back in its bake {who}"
            return Ended(Ending.TAKEN_BACK, words, Verdict.INCONCLUSIVE)
    return None


def _unwatched(revision: str, state: ModelState, later: Sequence[JournalEntry]) -> Ended:
    """It is live, and in no bake: what it was to go back to did not answer, or nobody could watch it."""
    before = state.previous.release if state.previous else None
    refusals = [one for one in later if one.event is JournalEvent.REFUSED and one.release == before]
    if refusals:
        return Ended(Ending.UNWATCHED, refusals[-1].message, Verdict.FAIL)
    words = f"expected {revision} to be watched in its bake, found that nobody does: see `trackback history`"
    return _end(Ending.UNWATCHED, words)


def _end(ending: Ending, words: str) -> Ended:
    return Ended(ending, words, _VERDICTS.get(ending, Verdict.INCONCLUSIVE))


def _record(release: Release, found: Ended, entries: Sequence[JournalEntry], seen: StepStatus | None) -> Watched:
    manifest = release.manifest
    steps = (one for one in entries if one.event is JournalEvent.STEP and one.release == release.digest)
    return Watched(
        model=manifest.model,
        revision=manifest.revision,
        release=release.digest,
        run_id=manifest.candidate.promotion.run_id,
        ending=found.ending,
        verdict=found.verdict,
        words=found.words,
        steps=tuple(WatchedStep(at=one.at, by=one.by, words=one.message) for one in steps),
        checks=seen.checks if seen else (),
    )
