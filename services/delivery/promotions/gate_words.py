"""Why a stage refused a promotion: from its validation.json or comparison.json, else its console's last line."""

from services.contract import names
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.outcome import Outcome
from services.contract.validation import Validation
from services.gocd.client import GoCD

CONSOLE = "cruise-output/console.log"
# Of a console's lines those that the task printed.
_PRINTED = ("&1|", "&2|")


def with_words(gocd: GoCD, outcome: Outcome) -> Outcome:
    return outcome.model_copy(update={"words": _words(gocd, outcome.job)}) if outcome.job else outcome


def _words(gocd: GoCD, job: str) -> str:
    for file, read in ((names.VALIDATION_FILE, _validation), (names.COMPARISON_FILE, _comparison)):
        content = gocd.artifact(job, file)
        if content is not None:
            try:
                words = read(content)
            except Refused:  # written by another version of ours: its console still says why
                break
            if words:
                return words
    return _last_printed(gocd.artifact(job, CONSOLE) or b"")


def _validation(content: bytes) -> str:
    """Empty for one that passed: what stopped the stage came after it."""
    found = Validation.from_json(content, names.VALIDATION_FILE)
    stopped = () if found.passes else (check for check in found.checks if check.stops)
    return "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in stopped)


def _comparison(content: bytes) -> str:
    """Empty for one that passed, as that of a deployment that failed may have."""
    found = Comparison.from_json(content, names.COMPARISON_FILE)
    return "" if found.passes else found.summary


def _last_printed(console: bytes) -> str:
    lines = [line for line in console.decode(errors="replace").splitlines() if line.startswith(_PRINTED)]
    texts = (line.partition(" ")[2].strip() for line in reversed(lines))
    return next((text for text in texts if text), "")
