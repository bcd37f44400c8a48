"""How many promotions a hold-out has decided: each look at it makes its next verdict a little less honest.

MLflow keeps the number, in a tag of the experiment for each hold-out. It has no way to add to a tag, so of two
promotions that are counted in the same moment one is lost.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.errors import Refused
from services.contract.gates import Gates
from services.contract.validation import Validation
from services.delivery.clients.registry import Registry
from services.delivery.output import say
from services.delivery.settings import Settings

_SECONDS = 5.0  # for each question, which is asked once: no verdict waits for its number
# MLflow takes 20,000 characters, and the plugin reads an experiment's tags at every poll.
_REMEMBERED = 300
_TEXT = re.compile(r"(\d+) decided:((?: \S+)*)")


@dataclass(frozen=True)
class Decisions:
    """`count` of all, and the `revisions` of the last of them, which do not count again."""

    count: int = 0
    revisions: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None) -> Self:
        """Raises Refused for a text that is not ours."""
        if text is None:
            return cls()
        if not (found := _TEXT.fullmatch(text)):
            raise Refused(f"expected a number and revisions such as '1 decided: 1-90bb4914', found '{text[:40]}'")
        return cls(int(found[1]), tuple(found[2].split()))

    def with_(self, revision: str) -> "Decisions":
        if revision in self.revisions:
            return self
        return Decisions(self.count + 1, (*self.revisions, revision)[-_REMEMBERED:])

    def number(self, revision: str) -> int:
        """1 for the first one that the hold-out decided; the same whenever it is asked."""
        return self.count - (len(self.revisions) - 1 - self.revisions.index(revision))

    @property
    def text(self) -> str:
        return " ".join([f"{self.count} decided:", *self.revisions])


def _connect(settings: Settings) -> Registry:
    return Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization, seconds=_SECONDS)


def count_decision(
    settings: Settings,
    gates: Gates,
    candidate: Candidate,
    validation: Validation,
    connect: Callable[[Settings], Registry] = _connect,
) -> Validation:
    """With the number, and a warning from `gates.holdout_decisions` on. As it was when MLflow does not take part, when
    nothing was measured, and of a preview or a rehearsal, which decides nothing."""
    if not validation.metrics or not candidate.promoted:
        return validation
    try:
        with connect(settings) as registry:
            number = _count(registry, candidate)
    except Refused as error:
        say(f"note: nobody knows how many promotions this hold-out has decided ({error})")
        return validation
    say(f"promotion {number} that the hold-out {candidate.run.holdout.sha256[:12]} decides")
    warnings = [_worn(number, gates.holdout_decisions)] if number >= gates.holdout_decisions else []
    return validation.model_copy(update={"holdout_decisions": number, "warnings": (*validation.warnings, *warnings)})


def _count(registry: Registry, candidate: Candidate) -> int:
    experiment, revision = candidate.run.experiment_id, candidate.promotion.label
    tag = f"{names.HOLDOUT_DECISIONS_TAG}{candidate.run.holdout.sha256[:12]}"
    before = Decisions.of(registry.experiment_tags(experiment).get(tag))
    now = before.with_(revision)
    if now != before:
        registry.set_experiment_tag(experiment, tag, now.text)
    return now.number(revision)


def _worn(number: int, declared: int) -> str:
    return (
        f"this hold-out has decided {number} promotions (gates.holdout_decisions is {declared}): models that passed so "
        "often fit it a little better than new rows; hold out others and pin them"
    )
