"""What an instance of a pipeline says of itself, as `GET /api/pipelines/{name}/history` lists it.

Fields: api.gocd.org, "The pipeline instance object".
"""

from collections.abc import Sequence

from services.gocd.client import Json

OVER = ("Passed", "Failed", "Cancelled")


def promotes(instance: Json, run_id: str) -> bool:
    """Whether it was made of a promotion of this run: the revision of one ends in the first eight digits of its id."""
    return _revision(instance).endswith(f"-{run_id[:8]}")


def ran(instance: Json, revision: str) -> bool:
    """Whether it was made of this revision, and did not only list it with a newer one."""
    return _revision(instance) == revision


def passed_over(instances: Sequence[Json]) -> list[str]:
    """The revisions that these only list with a newer one, the oldest first, as far as none of them ran it."""
    found = [one["build_cause"]["material_revisions"] for one in reversed(instances)]
    listed = [[str(it["revision"]) for it in reversed(one[0]["modifications"])] for one in found if one]
    run = {_revision(one) for one in instances}
    return [revision for revisions in listed for revision in revisions if revision not in run]


def failed_stage(instance: Json) -> str | None:
    """The stage that it stopped at; None when none failed."""
    return next((name for name, result in results(instance).items() if result == "Failed"), None)


def is_downstream(instance: Json, build: Json) -> bool:
    """Whether it was made of what `build` passed on: that revision is `pipeline/counter/stage/counter`."""
    return _revision(instance).startswith(f"{build['name']}/{build['counter']}/")


def results(instance: Json) -> dict[str, str]:
    """By stage in their order; `Unknown` of one that runs, `not run` of one for which GoCD names none."""
    return {stage["name"]: stage.get("result", "not run") for stage in instance["stages"]}


def has_passed(instance: Json) -> bool:
    return set(results(instance).values()) == {"Passed"}


def has_ended(instance: Json) -> bool:
    """Every stage passed, or one of them did not: GoCD runs none of those that come after it."""
    found = results(instance).values()
    return "Failed" in found or "Cancelled" in found or has_passed(instance)


def _revision(instance: Json) -> str:
    """Of its first material; empty where it has none yet."""
    revisions = instance["build_cause"]["material_revisions"]
    return str(revisions[0]["modifications"][0]["revision"]) if revisions else ""
