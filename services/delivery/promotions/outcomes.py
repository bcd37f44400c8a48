"""What became of each promotion, read from GoCD's own history: no record is kept beside it.

GoCD runs the newest of the revisions that came while a first stage ran and lists the others with it; those were
superseded, and are neither delivered nor refused. The same happens to an instance that waits for a later stage.
"""

import re
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from services.contract import names
from services.contract.outcome import Fate, Outcome
from services.contract.promotion import promotion_number
from services.gocd.client import GoCD, Json, Unknown

# Instances that are read; older promotions have been seen by whoever wanted to.
MOST_INSTANCES = 100
_RUN_PAGE = re.compile(rf"/runs/({names.RUN_ID.pattern})")
_UPSTREAM = re.compile(r"[^/]+/(\d+)/[^/]+/\d+$")
_OVER = {"Failed": Fate.REFUSED, "Cancelled": Fate.CANCELLED}


@dataclass(frozen=True)
class Ledger:
    """What GoCD and the rollout service know of one model.

    `built` and `online` are instances of its two pipelines, `online` None when there is no such pipeline, and `known`
    revisions of its package, each newest first; `answered` are the revisions that answered, by the rollout service's
    own word.
    """

    model: str
    built: Sequence[Json]
    online: Sequence[Json] | None = None
    known: Sequence[Json] = ()
    answered: Set[str] = frozenset()


def read_ledger(gocd: GoCD, model: str, answered: Set[str], most: int = MOST_INSTANCES) -> Ledger:
    """Back to the newest promotion that answered. Raises Unknown when GoCD has no pipeline of the model."""
    newest = max(map(promotion_number, answered), default=0)
    built: list[Json] = []
    for instance in islice(gocd.instances(model), most):
        built.append(instance)
        if _is_before(instance, newest):
            break
    online = None
    with suppress(Unknown):
        online = gocd.history(f"{model}-online", page_size=min(100, 10 + len(built)))
    package = fingerprint(built) or _polled(gocd, model)
    return Ledger(model, built, online, gocd.modifications(package) if package else (), answered)


def _is_before(instance: Json, newest: int) -> bool:
    """Whether no older instance has a promotion after `newest`: what GoCD ran as new grows, unlike what was pinned."""
    changed = any(material["changed"] for material in _packages(instance))
    return changed and all(_number(one) <= newest for one in _modifications(instance))


def fingerprint(built: Iterable[Json]) -> str | None:
    """Of the package that these instances were built from; None when there are none."""
    return next((str(material["material"]["fingerprint"]) for one in built for material in _packages(one)), None)


def _polled(gocd: GoCD, model: str) -> str | None:
    material = gocd.package_material(model)
    return str(material["config"]["fingerprint"]) if material else None


def outcomes(ledger: Ledger) -> list[Outcome]:
    """One for each promotion that is in the ledger, the newest promotion first."""
    return _Reading(ledger).outcomes()


def next_to_schedule(found: Sequence[Outcome], answered: Iterable[str]) -> Outcome | None:
    """The newest superseded promotion, once all that came after the last delivery are over without another.

    None when it is older than what answered: the rollout service would refuse it. A run that was judged under a newer
    promotion is not judged again.
    """
    newest = max((promotion_number(revision) for revision in answered), default=0)
    ends = (place for place, one in enumerate(found) if one.fate is Fate.DELIVERED or one.number <= newest)
    since = found[: next(ends, len(found))]
    if any(one.open for one in since):
        return None
    judged = {one.run_id for one in since if one.fate in (Fate.REFUSED, Fate.CANCELLED)} - {None}
    return next((one for one in since if one.fate is Fate.SUPERSEDED and one.run_id not in judged), None)


class _Reading:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def outcomes(self) -> list[Outcome]:
        """What is not in an instance and is newer than all that is will be run by GoCD; what is older is history."""
        newest = max(map(promotion_number, self._ran), default=0)
        waiting = {one["revision"]: one for one in self._ledger.known if _number(one) > newest}
        found = [self._outcome(revision, one) for revision, one in (self._listed | waiting).items()]
        return sorted(found, key=lambda outcome: outcome.number, reverse=True)

    @cached_property
    def _ran(self) -> dict[str, Json]:
        """The instance that ran each revision; of several the last."""
        return {revisions[0]: one for one in reversed(self._ledger.built) if (revisions := _revisions(one))}

    @cached_property
    def _listed(self) -> dict[str, Json]:
        return {it["revision"]: it for one in self._ledger.built for it in _modifications(one)}

    @cached_property
    def _in_place_of(self) -> dict[str, str]:
        found = [_revisions(one) for one in self._ledger.built]
        return {revision: revisions[0] for revisions in found for revision in revisions[1:]}

    def _outcome(self, revision: str, modification: Json) -> Outcome:
        run = _RUN_PAGE.search(modification.get("comment") or "")
        return Outcome(
            model=self._ledger.model,
            revision=revision,
            run_id=run[1] if run else None,
            promoted_by=modification.get("user_name") or "unknown",
            **self._fate(revision),
        )

    def _fate(self, revision: str) -> dict[str, Any]:
        if revision in self._ledger.answered:
            return self._in_bake(revision) or {"fate": Fate.DELIVERED}
        if instance := self._ran.get(revision):
            return self._overtaken(instance) or _stopped(instance) or self._downstream(int(instance["counter"]))
        if other := self._in_place_of.get(revision):
            return {"fate": Fate.SUPERSEDED, "superseded_by": other}
        return {"fate": Fate.WAITING}

    def _in_bake(self, revision: str) -> dict[str, Any] | None:
        """Of what answers, or did: it is being watched, or was taken back or replaced before that was over."""
        counter = self._ran[revision]["counter"] if revision in self._ran else None
        online = self._ledger.online or ()
        for place, ours in enumerate(online):
            if _upstream(ours) == counter:
                newer = any(_scheduled(one, names.WATCH_STAGE) for one in online[:place])
                passed_over = newer and not _scheduled(ours, names.WATCH_STAGE)
                found = None if passed_over else _stopped(ours)
                return found if found and found["stage"] == names.WATCH_STAGE else None
        return None

    def _overtaken(self, instance: Json) -> dict[str, Any] | None:
        """A stage that is free again is given to the newest instance that waited for it; those between never get it."""
        stage = next((one for one in instance["stages"] if one["status"] != "Passed"), None)
        if stage is None or stage["scheduled"]:
            return None
        newer = (one for one in reversed(self._ledger.built) if one["counter"] > instance["counter"])
        other = next((one for one in newer if _scheduled(one, stage["name"])), None)
        return {"fate": Fate.SUPERSEDED, "superseded_by": _revisions(other)[0]} if other else None

    def _downstream(self, counter: int) -> dict[str, Any]:
        """GoCD never goes downstream with an instance after it went there with a newer one."""
        heads = {_upstream(one): one for one in reversed(self._ledger.online or ())}
        later = min((head for head in heads if head >= counter), default=None)
        if later is None:
            return {"fate": Fate.JUDGING, "stage": names.DEPLOY_STAGE}
        if later == counter:
            return _stopped(heads[later]) or {"fate": Fate.DELIVERED}
        others = [revision for revision, one in self._ran.items() if one["counter"] == later]
        return {"fate": Fate.SUPERSEDED, "superseded_by": others[0] if others else None}


def _scheduled(instance: Json, stage: str) -> bool:
    return any(one["name"] == stage and one["scheduled"] for one in instance["stages"])


def _stopped(instance: Json) -> dict[str, Any] | None:
    """Where the instance is or ended; None when all of its stages passed."""
    stage = next((one for one in instance["stages"] if one["status"] != "Passed"), None)
    if stage is None:
        return None
    fate = _OVER.get(stage["status"], Fate.JUDGING)
    place = f"{instance['name']}/{instance['counter']}/{stage['name']}/{stage['counter']}"
    job = next((one["name"] for one in stage["jobs"] if one["result"] == stage["status"]), None)
    return {"fate": fate, "stage": stage["name"], "job": f"{place}/{job}" if job else None}


def _packages(instance: Json) -> list[Json]:
    return [one for one in instance["build_cause"]["material_revisions"] if one["material"]["type"] == "Package"]


def _modifications(instance: Json) -> list[Json]:
    """The promotions that the instance was made of: it ran the first one."""
    return [it for material in _packages(instance) for it in material["modifications"] if _number(it)]


def _revisions(instance: Json) -> list[str]:
    return [str(one["revision"]) for one in _modifications(instance)]


def _number(modification: Json) -> int:
    """Of the promotion; 0 for what is none of ours."""
    revision = str(modification["revision"])
    return promotion_number(revision) if names.REVISION.fullmatch(revision) else 0


def _upstream(instance: Json) -> int:
    """The counter of the newest upstream instance that this one was made of, 0 without any."""
    revisions = (it["revision"] for it in _all_modifications(instance))
    return max((int(found[1]) for one in revisions if (found := _UPSTREAM.match(one))), default=0)


def _all_modifications(instance: Json) -> list[Json]:
    return [it for material in instance["build_cause"]["material_revisions"] for it in material["modifications"]]
