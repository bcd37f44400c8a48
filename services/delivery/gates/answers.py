"""Whether the model loads, and answers each row of the hold-out with a number."""

from services.contract.errors import Refused, Undecided
from services.contract.verdict import Check
from services.delivery.gates.checks import check, undecided
from services.delivery.scoring.messages import Scores

_ANSWERS = "a model that answers"


def loaded(scores: Scores) -> Check:
    return check("load", True, _ANSWERS, f"{len(scores.predictions)} answers from a child process")


def not_loaded(refused: Refused) -> Check:
    if isinstance(refused, Undecided):
        return undecided("load", _ANSWERS, str(refused))
    return check("load", False, _ANSWERS, str(refused))


def finite(scores: Scores) -> Check:
    rows = len(scores.predictions)
    bad = rows - len(scores.finite)
    first = f"; {scores.failure}" if scores.failure else ""
    return check("finite", bad == 0, "only finite answers", f"{bad} NaN, infinite or none of {rows}{first}")
