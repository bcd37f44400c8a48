"""A run of a revision that somebody names, as GoCD makes it; all expected values were seen on a GoCD 26.1.0."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.embedded_ci import CiWithFakePlugin, pipeline, running, stage
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

LABELLED = pipeline(stage("one"), label_template="${COUNT}-${model}")
ONLINE = pipeline(stage("deploy"), materials={"release": {"pipeline": "churn", "stage": "one"}})


@pytest.fixture
def ci(tmp_path: Path) -> Iterator[CiWithFakePlugin]:
    """Revisions r1 and r2 of `churn`, each in a run that has ended."""
    with running(tmp_path, {"churn": LABELLED, "churn-online": ONLINE}) as ci:
        ci.define()
        for counter in (1, 2):
            ci.promote(f"r{counter}")
            ci.finished(f"churn-online/{counter}/deploy/1")
        yield ci


def fingerprint(ci: CiWithFakePlugin) -> str:
    return ci.engine.catalog.packages()[0].fingerprint


def schedule(ci: CiWithFakePlugin, revision: str) -> tuple[int, str]:
    pinned = {"fingerprint": fingerprint(ci), "revision": revision}
    body = {"materials": [pinned], "update_materials_before_scheduling": False}
    answer = ci.post("pipelines/churn/schedule", 1, body)
    return answer.status_code, answer.json()["message"]


def cause(ci: CiWithFakePlugin) -> dict[str, Any]:
    return dict(ci.history("churn")[0]["build_cause"])


def test_a_pinned_revision_runs_alone_and_counts_as_unchanged(ci: CiWithFakePlugin) -> None:
    assert schedule(ci, "r1") == (202, "Request to schedule pipeline churn accepted")
    ci.finished("churn/3/one/1")
    assert ci.history("churn")[0]["label"] == "3-r1"
    assert cause(ci)["trigger_message"] == "Forced by anonymous"
    (material,) = cause(ci)["material_revisions"]
    assert (material["changed"], [one["revision"] for one in material["modifications"]]) == (False, ["r1"])


def test_what_a_pinned_run_builds_goes_downstream(ci: CiWithFakePlugin) -> None:
    schedule(ci, "r1")
    ci.finished("churn-online/3/deploy/1")
    assert ci.history("churn-online")[0]["build_cause"]["trigger_message"] == "triggered by churn/3/one/1"


def test_after_a_pinned_run_only_what_is_new_runs_by_itself(ci: CiWithFakePlugin) -> None:
    schedule(ci, "r1")
    ci.finished("churn/3/one/1")
    ci.engine.scheduler.consider_all()
    assert len(ci.history("churn")) == 3
    ci.promote("r3")
    ci.finished("churn/4/one/1")
    (material,) = cause(ci)["material_revisions"]
    assert (material["changed"], [one["revision"] for one in material["modifications"]]) == (True, ["r3"])


def test_an_unknown_revision_is_accepted_and_nothing_runs(ci: CiWithFakePlugin) -> None:
    assert schedule(ci, "r99")[0] == 202
    # It is over when another request is taken.
    poll_until(lambda: schedule(ci, "r1")[0] == 202, "the end of the request", pause=0.02)
    ci.finished("churn/3/one/1")
    assert [one["label"] for one in ci.history("churn")] == ["3-r1", "2-r2", "1-r1"]
    assert ci.get("server_health_messages").json() == []


@pytest.mark.parametrize(
    ("materials", "message"),
    [
        ("x", 'Could not read property \'materials\' as a JsonArray in json `{"materials":"x"}`'),
        ([{"fingerprint": "0123"}], 'Json `{"fingerprint":"0123"}` does not contain property \'revision\''),
        (
            [{"fingerprint": "0123", "revision": "1-x"}],
            "Request to schedule pipeline rejected { Pipeline 'churn' does not contain the following material(s): "
            "[0123]. }",
        ),
    ],
)
def test_what_cannot_be_pinned_is_refused_in_gocds_words(ci: CiWithFakePlugin, materials: Any, message: str) -> None:
    refused = ci.post("pipelines/churn/schedule", 1, {"materials": materials})
    assert (refused.status_code, refused.json()["message"]) == (422, message)


def test_all_revisions_of_a_material_are_listed_a_page_at_a_time(ci: CiWithFakePlugin) -> None:
    for number in range(3, 13):
        ci.promote(f"r{number}")
    path = f"materials/{fingerprint(ci)}/modifications"
    first, rest = (ci.get(place, 2).json()["_embedded"] for place in (path, f"{path}/10"))
    assert [one["revision"] for one in first["modifications"]] == [f"r{number}" for number in range(12, 2, -1)]
    assert [one["revision"] for one in rest["modifications"]] == ["r2", "r1"]
    assert rest["pagination"] == {"page_size": 10, "offset": 10, "total": 12}
    assert set(first["modifications"][0]) == {"id", "user_name", "revision", "modified_time", "comment"}
    unknown = ci.get("materials/0123/modifications", 2)
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Not Found { Material not found }")
