"""What a person has to know to read a comparison rightly, and what stops nothing."""

from collections.abc import Iterator, Sequence

from services.contract.candidate import Candidate
from services.contract.release import Manifest
from services.delivery.statistics.groups import Slices

_MOST_NAMED = 5


def warnings(candidate: Candidate, unit: str, live: Manifest) -> tuple[str, ...]:
    """`unit` is what the candidate answers in."""
    return tuple(_warnings(candidate, unit, live))


def _warnings(candidate: Candidate, unit: str, live: Manifest) -> Iterator[str]:
    ours, theirs = candidate.run, live.candidate.run
    if ours.holdout.sha256 != theirs.holdout.sha256:
        yield (
            f"the hold-out has changed since live {live.revision} was delivered ({theirs.holdout.rows} rows, "
            f"{theirs.holdout.sha256[:12]}, then; {ours.holdout.rows} rows, {ours.holdout.sha256[:12]}, now): "
            "live may have been trained on some of its rows, and would look better than it is"
        )
    if candidate.digest == live.candidate.digest:
        yield f"the candidate has the same files as live {live.revision}: a model is compared with itself"
    if ours.data_schema.target != theirs.data_schema.target:
        yield f"the target is called '{ours.data_schema.target}' now and '{theirs.data_schema.target}' for live"
    if unit != live.unit:
        yield f"the candidate answers in '{unit}' and live in '{live.unit}': errors in two units do not compare"


def too_small(slices: Sequence[Slices]) -> Iterator[str]:
    """Those of each column that are too few rows to be compared."""
    for one in slices:
        names = list(one.small)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        if names:
            yield f"too few rows to be compared apart: {', '.join(names[:_MOST_NAMED])}{more}"
