"""A person's word on an inconclusive verdict, kept as a tag of the run, and which of its verdicts it may be about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.promotion import promotion_number
from services.contract.validation import Validation
from services.contract.verdict import Acceptance, Verdict
from services.delivery.clients.registry import PATIENCE, Registry
from services.delivery.output import say
from services.delivery.settings import Settings

Judged = TypeVar("Judged", Validation, Comparison)
# In the order of the stages.
VERDICT_TAGS = {"validate": names.VALIDATION_TAG, "compare": names.COMPARISON_TAG}
_TOLD = re.compile(rf"(?P<revision>{names.REVISION.pattern}) (?P<verdict>pass|fail|inconclusive)\b.*", re.DOTALL)


@dataclass(frozen=True)
class Told:
    """What a stage said of the newest promotion of a run, and who accepted it, if anybody did."""

    stage: str
    revision: str
    verdict: Verdict
    accepted: Acceptance | None


def with_acceptance(settings: Settings, candidate: Candidate, judged: Judged) -> Judged:
    """Says so when it is inconclusive and a person has accepted that of this revision. Never raises."""
    if judged.verdict is not Verdict.INCONCLUSIVE or not candidate.promoted:
        return judged
    try:
        with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization, PATIENCE) as registry:
            found = acceptance(registry.run(candidate.promotion.run_id).data.tags, judged.stage, judged.revision)
    except Refused as refused:
        say(f"note: nobody knows whether a person has accepted this ({refused})")
        return judged
    if found:
        say(f"{judged.revision} {judged.stage} {judged.verdict}, {found}")
    return judged.model_copy(update={"accepted": found})


def acceptance(tags: Mapping[str, str], stage: str, revision: str) -> Acceptance | None:
    """None when nobody has accepted what this stage said of this revision."""
    found = Acceptance.of_tag(stage, tags.get(names.ACCEPTED_TAGS[stage], ""))
    return found if found and found.revision == revision else None


def to_accept(run_id: str, tags: Mapping[str, str]) -> Told:
    """The inconclusive verdict of the run's newest promotion, the one that is not accepted yet before the other.

    Raises Refused when there is none: nothing was said, or it passed, or it failed.
    """
    told = _newest(tags)
    if not told:
        raise Refused(f"expected a run that a promotion was judged of, found no verdict on {run_id}: promote it first")
    for one in told:
        if one.verdict is Verdict.FAIL:
            raise Refused(
                f"expected an inconclusive verdict on {one.revision}, found that {one.stage} failed, which nobody can "
                "overrule: train a better model, or change the gate in model.yaml by a commit"
            )
    undecided = [one for one in told if one.verdict is Verdict.INCONCLUSIVE]
    if not undecided:
        passed = " and ".join(one.stage for one in told)
        raise Refused(
            f"expected an inconclusive verdict on {told[0].revision}, found that {passed} passed: nothing is to accept"
        )
    return next((one for one in undecided if one.accepted is None), undecided[-1])


def _newest(tags: Mapping[str, str]) -> list[Told]:
    """What each stage said of the newest revision that one of them was about, in their order."""
    found = [
        Told(stage, said["revision"], Verdict(said["verdict"]), acceptance(tags, stage, said["revision"]))
        for stage, tag in VERDICT_TAGS.items()
        if (said := _TOLD.fullmatch(tags.get(tag, "")))
    ]
    newest = max((promotion_number(one.revision) for one in found), default=0)
    return [one for one in found if promotion_number(one.revision) == newest]
