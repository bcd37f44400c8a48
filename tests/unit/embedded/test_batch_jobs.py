"""Machine images in the embedded server: on an agent of their own, behind everything else, or not at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.embedded_ci import pipeline, python, running, stage
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

IMAGE = {"job": {"resources": ["image"]}}
WHO = python("import os; print('nice', os.nice(0), 'of', os.environ['GO_AGENT_RESOURCES'])")


def downstream(*stages: dict[str, Any]) -> dict[str, Any]:
    return pipeline(*stages, materials={"release": {"pipeline": "churn", "stage": "build"}})


def until(gate: Path) -> dict[str, Any]:
    return python(f"""
        import pathlib, time
        while not pathlib.Path({str(gate)!r}).exists():
            time.sleep(0.01)
    """)


def test_images_take_no_place_of_what_builds_and_lets_answer(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slow = downstream(stage("image", until(gate), **IMAGE))
    pipelines = {"churn": pipeline(stage("build")), "a-batch": slow, "b-batch": slow, "c-batch": slow}
    with running(tmp_path, pipelines | {"churn-online": downstream(stage("deploy"))}, images=True) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn-online/1/deploy/1")["result"] == "Passed"
        ci.promote("r2")
        assert ci.finished("churn-online/2/deploy/1")["result"] == "Passed"
        waiting = [
            name for name in ("a", "b", "c") if ci.history(f"{name}-batch")[0]["stages"][0]["result"] == "Unknown"
        ]
        assert waiting == ["a", "b", "c"]
        gate.touch()
        assert ci.finished("c-batch/1/image/1")["result"] == "Passed"


def test_an_image_is_nice_to_all_else_on_the_machine(tmp_path: Path) -> None:
    batch = downstream(stage("image", WHO, **IMAGE))
    with running(tmp_path, {"churn": pipeline(stage("build", WHO)), "churn-batch": batch}, images=True) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn-batch/1/image/1")
        assert "nice 0 of python" in ci.console("churn/1/build/1/build")
        assert "nice 19 of image" in ci.console("churn-batch/1/image/1/image")


def test_an_image_that_no_agent_can_build_waits_and_the_page_says_what_to_do(tmp_path: Path) -> None:
    batch = downstream(stage("image", **IMAGE), stage("score", **IMAGE))
    online = downstream(stage("deploy"))
    with running(tmp_path, {"churn": pipeline(stage("build")), "churn-online": online, "churn-batch": batch}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn-online/1/deploy/1")
        image = poll_until(lambda: ci.stage("churn-batch/1/image/1"), "the stage to be scheduled", pause=0.02)
        assert (image["result"], image["jobs"][0]["state"]) == ("Unknown", "Scheduled")
        told = "image waits for an agent with the resource image: scripts/setup image, then start anew"
        assert f'<span class="Building">{told}</span>' in ci.http.get("/").text
    with running(tmp_path, {"churn": pipeline(stage("build")), "churn-batch": batch}, images=True) as ci:
        assert ci.finished("churn-batch/1/score/1")["result"] == "Passed"


def test_a_boot_that_wants_approval_is_offered_until_a_person_starts_it(tmp_path: Path) -> None:
    manual = {"approval": {"type": "manual", "allow_only_on_success": True}}
    batch = downstream(stage("image", **IMAGE), stage("score", **IMAGE, **manual))
    offer = "score awaiting approval: POST /go/api/stages/churn-batch/1/score/run starts it"
    with running(tmp_path, {"churn": pipeline(stage("build")), "churn-batch": batch}, images=True) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn-batch/1/image/1")
        poll_until(lambda: offer in ci.http.get("/").text, "the offer on the page", pause=0.02)
        assert ci.post("stages/churn-batch/1/score/run", 2).status_code == 202
        assert ci.finished("churn-batch/1/score/1")["result"] == "Passed"
        assert "awaiting approval" not in ci.http.get("/").text


def test_the_value_stream_goes_from_one_build_to_online_and_to_batch(tmp_path: Path) -> None:
    downstreams = {"churn-online": downstream(stage("deploy")), "churn-batch": downstream(stage("image", **IMAGE))}
    with running(tmp_path, {"churn": pipeline(stage("build"))} | downstreams, images=True) as ci:
        ci.define()
        ci.promote("r1")
        for last in ("churn-online/1/deploy/1", "churn-batch/1/image/1"):
            ci.finished(last)
        levels = ci.http.get("/go/pipelines/value_stream_map/churn/1.json").json()["levels"]
        assert [[node["name"] for node in level["nodes"]] for level in levels[1:]] == [
            ["churn"], ["churn-online", "churn-batch"]
        ]  # fmt: skip
        assert [node["parents"] for node in levels[2]["nodes"]] == [["churn"], ["churn"]]
        page = ci.http.get("/").text
        assert "<th>churn</th><th>churn-online</th><th>churn-batch</th>" in page
