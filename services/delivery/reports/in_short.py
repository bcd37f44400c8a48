"""What decided a validation in a few words, for a tag and the note of a run, which every poll of the plugin reads."""

from services.contract.validation import Validation
from services.delivery.reports.view import stopping
from services.delivery.reports.words import all_of


def in_short(validation: Validation) -> str:
    """What did not pass, what failed first; of a pass how many checks it were."""
    counted = sum(one.off is None for one in validation.checks)
    stopped = "; ".join(f"{one.name}: {one.words}" if one.name else one.words for one in stopping(validation.checks))
    return stopped or (all_of(counted, "check") if counted else "")
