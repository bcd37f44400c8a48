"""The label of a pipeline instance, from its template."""

import re

from services.embedded.pipelines.pipeline_config import LABEL_PART
from services.embedded.records.history import Cause
from services.embedded.scheduling.causes import LABEL, PIPELINE


def label_of(template: str, counter: int, causes: list[Cause]) -> str:
    """`template` with its parameters filled in, cut to the 255 characters that GoCD stores."""
    values = {"COUNT": str(counter)} | {cause.material: revision_label(cause) for cause in causes}

    def filled(part: re.Match[str]) -> str:
        value = values[part[1]]
        return value[: int(part[2])] if part[2] else value

    return LABEL_PART.sub(filled, template)[:255]


def revision_label(cause: Cause) -> str:
    """A package's revision, or the label of the upstream instance."""
    newest = cause.modifications[0]
    return newest.data[LABEL] if cause.type == PIPELINE else newest.revision
