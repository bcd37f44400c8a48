"""Where on the page of its run a stage's result is told: what is no promotion must not look like one."""

from services.contract import names
from services.contract.candidate import Candidate, Purpose

TAGS = {"validate": names.VALIDATION_TAG, "compare": names.COMPARISON_TAG, "package": names.RELEASE_TAG}


def result_tags(candidate: Candidate, stage: str, result: str) -> dict[str, str]:
    """A tag for each stage of a promotion; of a preview and of a rehearsal one, for the stage that it came to."""
    promotion = candidate.promotion
    if candidate.purpose is Purpose.PREVIEW:
        return {names.PREVIEWED_TAG: f"{promotion.label} for {promotion.promotion}: {stage} {result}"}
    if candidate.purpose is Purpose.REHEARSAL:
        return {names.REHEARSED_TAG: f"{promotion.promotion} by {promotion.promoted_by}: {stage} {result}"}
    return {TAGS[stage]: f"{promotion.label} {result}"}


def reports_folder(candidate: Candidate) -> str:
    """Of the run's artifacts. Revisions of previews are counted apart, and a rehearsal is told by its time."""
    promotion = candidate.promotion
    if candidate.purpose is Purpose.PREVIEW:
        return f"{names.REPORTS_FOLDER}/preview/{promotion.label}"
    if candidate.purpose is Purpose.REHEARSAL:
        return f"{names.REPORTS_FOLDER}/rehearsal/{promotion.promotion.replace(':', '')}"
    return f"{names.REPORTS_FOLDER}/{promotion.label}"
