"""A step for a person: where a release is, since when, and what is known of it."""

from collections.abc import Iterator, Sequence

from services.contract.rollout_step import StepStatus
from services.contract.verdict import Check, Verdict

# Of what passed, the one whose figures say how many requests were seen.
_COUNTED = "errors"


def step_words(status: StepStatus) -> str:
    place = f"{status.revision} is in its {status.step} since {status.since:%H:%M:%S} UTC"
    said = [f"{place}{', paused' if status.paused else ''}", *checks_words(status.checks)]
    return "; ".join(said)


def checks_words(checks: Sequence[Check]) -> Iterator[str]:
    for verdict, title in ((Verdict.FAIL, "failed"), (Verdict.INCONCLUSIVE, "undecided"), (Verdict.PASS, "passed")):
        if found := [check for check in checks if check.verdict is verdict]:
            yield f"{title}: {', '.join(_grouped(found))}"


def _grouped(checks: Sequence[Check]) -> Iterator[str]:
    """Those that found the same together."""
    by_found: dict[str, list[str]] = {}
    for check in checks:
        shown = check.found if check.verdict is not Verdict.PASS or check.name == _COUNTED else ""
        by_found.setdefault(shown, []).append(check.name)
    for found, names in by_found.items():
        yield ", ".join(names) + (f" ({found})" if found else "")
