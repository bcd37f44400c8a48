"""Which delivery may replace which: an older promotion never replaces a newer one by accident (design §8), and none
replaces another release than the one that it was compared with."""

from services.contract.deployment import Deployment, InPlaceOf
from services.contract.errors import LiveChanged, Refused
from services.contract.record import Sha256
from services.rollout.state import Pointer

PROMOTE_AGAIN = "promote its run again to bring it back"


def check_fence(pointer: Pointer | None, release: Sha256, number: int) -> Deployment | None:
    """The live deployment when it is of this release, None when the release may be deployed.

    `number` is the promotion's, used as a fencing token. Raises Refused when a later one was delivered before.
    """
    if pointer is None:
        return None
    if pointer.live and release == pointer.live.release:
        return pointer.live
    newest = pointer.newest.number
    if number < newest:
        raise Refused(f"expected a promotion after number {newest}, found number {number}: {PROMOTE_AGAIN}")
    if number == newest and release != pointer.newest.release:
        raise Refused(f"promotion {number} was delivered as another release before: promote the run again")
    if number == newest and pointer.retired:
        raise Refused(f"promotion {number} was retired by {pointer.retired.by}: roll back, or {PROMOTE_AGAIN}")
    if number == newest:
        raise Refused(f"promotion {number} was live and is not any more: {PROMOTE_AGAIN}")
    return None


def check_live(pointer: Pointer | None, expected: InPlaceOf | None) -> None:
    """Raises LiveChanged when something else is live than what the delivery was compared with."""
    live = pointer.live if pointer else None
    if expected and expected.release != (live.release if live else None):
        wanted = f"release {expected.release[:12]}…" if expected.release else "nothing"
        found = f"{live.revision} (release {live.release[:12]}…)" if live else "nothing"
        raise LiveChanged(f"expected {wanted} to be live, found {found}: compare with what is live now")
