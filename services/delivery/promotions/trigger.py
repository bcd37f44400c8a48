"""Asks GoCD to poll a package now, after a promotion, and to run a stage again, after a person's word on it."""

from collections.abc import Iterator
from itertools import islice

from services.contract.errors import Refused
from services.delivery.output import say
from services.delivery.settings import Settings
from services.gocd.asking import until_taken
from services.gocd.client import GoCD, Json, Unknown
from services.gocd.instances import failed_stage, is_downstream, ran

# Instances that are looked at, the newest first.
MOST_INSTANCES = 100
# What is accepted of compare may have stopped deploy, which compares again when another release is live by then.
_STOPPED_AT = {"validate": ("validate",), "compare": ("compare", "deploy")}


def ask_for_poll(settings: Settings, package: str) -> bool:
    """Whether GoCD took the request. The tag is what promotes, so failing to hurry it is a note and no failure."""
    try:
        with GoCD(settings.gocd_url, settings.gocd_access_token) as gocd:
            if not (material := gocd.package_material(package)):
                problem = f"no pipeline waits for the package '{package}'"
            elif until_taken(lambda: gocd.trigger_update(material["config"]["fingerprint"])):
                return True
            else:
                problem = "a poll was under way all the time"
    except Refused as refused:
        problem = str(refused)
    say(f"note: GoCD was not asked to look at once and will see the tag when it polls ({problem})")
    return False


def ask_to_run_again(settings: Settings, model: str, revision: str, stage: str) -> bool:
    """Whether GoCD runs the stage again that stopped this revision; if not, says what a person has to do."""
    try:
        with GoCD(settings.gocd_url, settings.gocd_access_token) as gocd:
            if place := _stopped_at(gocd, model, revision, stage):
                gocd.run_stage(place)
                say(f"GoCD runs {place} again")
                return True
            problem = f"it has no pipeline '{model}' that {revision} stopped at {stage} of"
    except Refused as refused:
        problem = str(refused)
    say(f"note: GoCD was not asked to run the stage again ({problem}): run {stage} of {revision} again yourself")
    return False


def _stopped_at(gocd: GoCD, model: str, revision: str, stage: str) -> str | None:
    """`pipeline/counter/stage` of the newest instance that failed there."""
    for build in islice(gocd.instances(model), MOST_INSTANCES):
        if ran(build, revision):
            for instance in (build, *_downstream(gocd, build)):
                if (name := failed_stage(instance)) in _STOPPED_AT[stage]:
                    return f"{instance['name']}/{instance['counter']}/{name}"
    return None


def _downstream(gocd: GoCD, build: Json) -> Iterator[Json]:
    try:
        found = gocd.history(f"{build['name']}-online", page_size=MOST_INSTANCES)
    except Unknown:
        return
    yield from (one for one in found if is_downstream(one, build))
