"""What the ledger knows of a model's releases: which answered before, and what its delivery has told of them."""

from collections.abc import Iterable, Iterator, Sequence

from services.contract.deployment import Deployment, StepRequest
from services.contract.errors import Refused
from services.contract.ledger import LONGEST_WORDS, JournalEntry, JournalEvent, LedgerNote
from services.rollout.release_store import StoredRelease

SHORTEST = 8
MOST_SHOWN = 5
# What a release has behind it then: its steps, or its bake.
_ENDS = (JournalEvent.LIVE, JournalEvent.REFUSED, JournalEvent.RELEASED)


def recorded(model: str, deployments: Sequence[Deployment], to: str) -> Deployment:
    """The last deployment of the revision, or of the release whose digest begins so. Raises Refused."""
    found = {one.release: one for one in deployments if _is(one, to)}
    if len(found) == 1:
        return next(iter(found.values()))
    known = list(dict.fromkeys(one.revision for one in reversed(deployments)))
    shown = ", ".join(known[:MOST_SHOWN]) + (", …" if len(known) > MOST_SHOWN else "")
    what = f"a revision of {model} that has answered, or {SHORTEST} digits and more of its release"
    raise Refused(f"expected {what}, found '{to[:64]}': known are {shown or 'none'}")


def is_told(entries: Iterable[JournalEntry], note: LedgerNote) -> bool:
    return any(note.is_told_by(entry) for entry in entries)


def standing_order(entries: Iterable[JournalEntry], release: str) -> StepRequest | None:
    """What a person ordered last in the steps or the bake that `release` is in still, None where nobody did."""
    last: JournalEntry | None = None
    for entry in (one for one in entries if one.release == release):
        if entry.order or entry.event in _ENDS:
            last = entry
    if not last or not last.order:
        return None
    return StepRequest(order=last.order, by=last.by, reason=last.message.partition(": ")[2])


def delivered(release: StoredRelease) -> Iterator[LedgerNote]:
    """What a release's own manifest says of its way here."""
    candidate = release.manifest.candidate
    promotion, pipeline = candidate.promotion, candidate.pipeline
    shared = {"revision": promotion.label, "run_id": promotion.run_id, "pipeline": pipeline}
    why = promotion.reason[:LONGEST_WORDS]
    yield LedgerNote(event=JournalEvent.PROMOTED, by=promotion.promoted_by[:LONGEST_WORDS], message=why, **shared)
    yield LedgerNote(event=JournalEvent.PACKAGED, release=release.digest, **shared)


def _is(deployment: Deployment, to: str) -> bool:
    return deployment.revision == to or (len(to) >= SHORTEST and deployment.release.startswith(to))
