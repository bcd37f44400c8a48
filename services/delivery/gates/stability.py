"""Whether the same row has the same answer, whatever else is asked, and when."""

from services.contract.verdict import Check
from services.delivery.gates.checks import check
from services.delivery.scoring.messages import Forms, Stability

# A library may add up a batch in another order than a row; a model without a form for the service is held to this.
LEAST_TOLERANCE = 1e-9


def stability_check(found: Stability, forms: Forms | None) -> Check:
    """Within what a form of the model may be apart from the library."""
    tolerance = max((LEAST_TOLERANCE, *(form.tolerance for form in (forms.forms if forms else ()))))
    asked = f"{found.rows} rows together again and in another order, {found.singles} alone"
    expected = f"the same answers to the same rows, relative difference ≤ {tolerance:g}"
    if found.largest <= tolerance:
        return check("stability", True, expected, f"largest {found.largest:.2g} of {asked}")
    return check("stability", False, expected, f"{found.worst} (largest {found.largest:.2g} of {asked})")
