"""Whether the model loads, and answers each row of the hold-out with a number; and what stopped the child, if it
stopped."""

from services.contract.errors import Undecided
from services.contract.verdict import Check
from services.delivery.gates.checks import check, undecided
from services.delivery.scoring.messages import Footprint, Phase, Scores
from services.delivery.scoring.scoring import Stopped

LOADED, FINITE = "a model that loads in a limited process", "only finite answers"
# Whose check says why the child ended before it was done.
_STOPPED_AT = {
    Phase.LOADING: ("load", LOADED),
    Phase.ANSWERING: ("finite", FINITE),
    Phase.ROBUSTNESS: ("robustness", "an answer or a refusal in words to missing, unseen and extreme values"),
    Phase.STABILITY: ("stability", "the same answers to the same rows"),
    Phase.FORMS: ("form", "a model that can be looked at for a form that serves it"),
    Phase.DONE: ("load", LOADED),
}


def loaded(footprint: Footprint | None) -> Check:
    """In a network namespace of its own the child sees a loopback only."""
    if footprint is None:
        return check("load", True, LOADED, "loaded")
    network = "without a network" if footprint.offline else "with the network, as the kernel lets nobody leave it here"
    return check("load", True, LOADED, f"loaded, {network}")


def finite(scores: Scores) -> Check:
    rows = len(scores.predictions)
    bad = rows - len(scores.finite)
    first = f"; {scores.failure}" if scores.failure else ""
    return check("finite", bad == 0, FINITE, f"{bad} NaN, infinite or none of {rows}{first}")


def stopped_check(stopped: Stopped) -> Check:
    """Of the gate that the child was asked for when it ended."""
    gate, expected = _STOPPED_AT[stopped.phase]
    if isinstance(stopped.reason, Undecided):
        return undecided(gate, expected, str(stopped))
    return check(gate, False, expected, str(stopped))
