"""An instance of a pipeline, read as a real GoCD 26.1 listed it."""

from typing import Any

import pytest

from services.gocd.instances import has_ended, has_passed, is_downstream, promotes, results
from tests.unit.embedded.gocd_exchanges.recorded import exchanges


def recorded(pipeline: str, counter: int) -> dict[str, Any]:
    """From the longest page that was recorded."""
    pages = [one.expected for one in exchanges() if one.name.startswith("history: ") and isinstance(one.expected, dict)]
    listed = [one for page in pages for one in page.get("pipelines", [])]
    return next(one for one in listed if (one["name"], one["counter"]) == (pipeline, counter))


@pytest.mark.parametrize(
    ("counter", "ended", "passed"),
    [(4, True, True), (5, True, False), (6, True, False)],
    ids=["all", "second", "third"],
)
def test_an_instance_is_over_when_all_passed_or_a_stage_did_not(counter: int, ended: bool, passed: bool) -> None:
    instance = recorded("diamond-price", counter)
    assert (has_ended(instance), has_passed(instance)) == (ended, passed)


def test_an_instance_whose_next_stage_waits_for_approval_is_not_over() -> None:
    instance = recorded("scratch", 1)
    assert results(instance) == {"build": "Passed", "release": "not run"}
    assert not has_ended(instance)
    assert not has_passed(instance)


def test_stages_are_told_in_their_order() -> None:
    found = list(results(recorded("diamond-price", 5)).items())
    assert found == [("fetch", "Passed"), ("validate", "Failed"), ("compare", "not run"), ("package", "not run")]


def test_an_instance_is_found_by_the_run_that_was_promoted() -> None:
    instance = recorded("diamond-price", 6)
    assert promotes(instance, "ff5f684b" + 24 * "0")
    assert not promotes(instance, "4e9ec038" + 24 * "0")


def test_a_deployment_is_found_by_the_build_that_it_came_from() -> None:
    build, other = recorded("diamond-price", 4), recorded("diamond-price", 6)
    revision = {"modifications": [{"revision": "diamond-price/4/package/1"}]}
    online = {"build_cause": {"material_revisions": [revision]}}
    assert is_downstream(online, build)
    assert not is_downstream(online, other)


def test_an_instance_without_materials_is_nobodys() -> None:
    instance: dict[str, Any] = {"build_cause": {"material_revisions": []}}
    assert not promotes(instance, 32 * "a")
