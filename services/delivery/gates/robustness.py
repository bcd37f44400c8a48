"""Whether rows that a hold-out seldom has are answered, or refused in words."""

from services.contract.prediction import is_finite
from services.contract.verdict import Check
from services.delivery.gates.checks import check
from services.delivery.scoring.messages import EdgeAnswers

_EXPECTED = "an answer or a refusal in words to missing, unseen and extreme values"


def robustness(edges: EdgeAnswers) -> Check:
    """A model that crashes on one has ended the child, which says so in this check's place."""
    answered = sum(one is not None and is_finite(one) for one in edges.predictions)
    refused = sum(one is None for one in edges.predictions)
    infinite = len(edges.predictions) - answered - refused
    first = f", as {edges.refusals[0]}" if edges.refusals else ""
    found = f"of {len(edges.predictions)} rows {answered} answered, {refused} refused{first}"
    beside = f", {infinite} without a finite answer, which the service refuses" if infinite else ""
    return check("robustness", True, _EXPECTED, found + beside)
