"""In which form the model answers online, if in any."""

from collections.abc import Sequence

from services.contract.errors import Refused
from services.contract.release import Servable
from services.contract.verdict import Check
from services.delivery.gates.checks import check, undecided

_EXPECTED = "a form that answers as the training library does, or none and why"


def form_check(servable: Servable) -> Check:
    """A model without one is scored in batches only."""
    notes = "; ".join(servable.notes)
    return check("form", True, _EXPECTED, notes if servable.form else f"none, so it is for batch only: {notes}")


def form_undecided(refused: Refused, notes: Sequence[str] = ()) -> Check:
    return undecided("form", _EXPECTED, "; ".join((*notes, str(refused))))
