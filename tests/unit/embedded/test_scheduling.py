"""What runs when: GoCD's rules, seen through its API, with real jobs."""

from pathlib import Path

import pytest

from tests.support.embedded_ci import pipeline, python, running, stage
from tests.support.embedded_fakes import FakeClock
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

# A job that runs until its test lets it go: both share the file.
WAITING = """
    import os, pathlib, time
    gate = pathlib.Path({gate!r})
    while not (gate / os.environ["GO_PIPELINE_COUNTER"]).exists():
        time.sleep(0.01)
"""
ONLINE = pipeline(stage("deploy"), materials={"release": {"pipeline": "churn", "stage": "build"}})


def test_a_new_revision_runs_all_automatic_stages_at_once(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"), stage("two"))}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/two/1")["result"] == "Passed"
        found = ci.get("pipelines/churn/1").json()
        assert found["build_cause"]["trigger_message"] == "modified by alice"
        assert [it["approved_by"] for it in found["stages"]] == ["changes", "changes"]


def test_a_failed_stage_stops_the_pipeline(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one", python("raise SystemExit(3)")), stage("two"))}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/one/1")["result"] == "Failed"
        assert ci.history("churn")[0]["stages"][1]["scheduled"] is False
        assert "[go] Task status: failed" in ci.console("churn/1/one/1/one")
        assert "(exit code: 3)" in ci.console("churn/1/one/1/one")


def test_a_manual_stage_waits_for_a_person(tmp_path: Path) -> None:
    manual = {"approval": {"type": "manual"}}
    with running(tmp_path, {"churn": pipeline(stage("one"), stage("two", **manual))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert ci.history("churn")[0]["stages"][1]["status"] == "Unknown"
        accepted = ci.post("stages/churn/1/two/run", 2)
        assert (accepted.status_code, accepted.json()["message"]) == (
            202,
            "Request to schedule stage churn/1/two accepted",
        )
        assert ci.finished("churn/1/two/1")["approved_by"] == "anonymous"


def test_a_manual_stage_that_wants_success_refuses_after_a_failure(tmp_path: Path) -> None:
    wanting = {"approval": {"type": "manual", "allow_only_on_success": True}}
    failing = stage("one", python("raise SystemExit(1)"))
    with running(tmp_path, {"churn": pipeline(failing, stage("two", **wanting), stage("three"))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        refused = ci.post("stages/churn/1/two/run", 2)
        assert refused.status_code == 409
        assert refused.json()["message"] == "Cannot schedule two as the previous stage one has Failed!"
        assert ci.post("stages/churn/1/three/run", 2).status_code == 400


def test_a_stage_can_run_again_under_the_next_counter(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert ci.post("stages/churn/1/one/run", 2).status_code == 202
        assert ci.finished("churn/1/one/2")["rerun_of_counter"] is None
        assert "GO_RERUN_OF_STAGE_COUNTER" not in ci.console("churn/1/one/2/one")


def test_revisions_that_come_while_the_first_stage_runs_make_one_run_with_the_newest(tmp_path: Path) -> None:
    first = stage("one", python(WAITING.format(gate=str(tmp_path))))
    with running(tmp_path, {"churn": pipeline(first)}) as ci:
        ci.define()
        for name in ("r1", "r2", "r3"):
            ci.promote(name)
        assert [it["counter"] for it in ci.history("churn")] == [1]
        (tmp_path / "1").touch()
        (tmp_path / "2").touch()
        ci.finished("churn/2/one/1")
        modifications = ci.history("churn")[0]["build_cause"]["material_revisions"][0]["modifications"]
        assert [it["revision"] for it in modifications] == ["r3", "r2"]
        assert "GO_PACKAGE_MODEL_LABEL' to value 'r3'" in ci.console("churn/2/one/1/one")
        assert len(ci.history("churn")) == 2


def test_a_stage_that_is_busy_in_an_older_instance_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "1").touch()
    first = stage("one", python(WAITING.format(gate=str(tmp_path))))
    with running(tmp_path, {"churn": pipeline(first, stage("two"))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/two/1")
        ci.promote("r2")
        assert ci.post("stages/churn/1/two/run", 2).status_code == 202
        (tmp_path / "2").touch()
        busy, waited = ci.finished("churn/1/two/2"), ci.finished("churn/2/two/1")
        assert waited["result"] == "Passed"
        assert waited["scheduled_at"] >= busy["last_transitioned_time"]


def test_a_locked_pipeline_starts_nothing_until_it_is_finished(tmp_path: Path) -> None:
    slow = stage("two", python(WAITING.format(gate=str(tmp_path))))
    locking = pipeline(stage("one"), slow, lock_behavior="unlockWhenFinished")
    with running(tmp_path, {"churn": locking}) as ci:
        ci.define()
        ci.promote("r1")
        poll_until(lambda: ci.stage("churn/1/two/1"), "the second stage", pause=0.02)
        ci.promote("r2")
        assert ci.get("pipelines/churn/status").json()["locked"] is True
        assert len(ci.history("churn")) == 1
        assert ci.post("pipelines/churn/schedule").status_code == 409
        (tmp_path / "1").touch()
        (tmp_path / "2").touch()
        assert ci.finished("churn/2/two/1")["result"] == "Passed"


def test_waiting_for_a_person_unlocks_a_pipeline_that_unlocks_when_finished(tmp_path: Path) -> None:
    stages = (stage("one"), stage("two", approval={"type": "manual"}))
    with running(tmp_path, {"churn": pipeline(*stages, lock_behavior="unlockWhenFinished")}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert ci.get("pipelines/churn/status").json() == {
            "paused": False,
            "paused_cause": "",
            "paused_by": "",
            "locked": False,
            "schedulable": True,
        }


def test_a_failure_keeps_a_pipeline_locked_that_locks_on_failure(tmp_path: Path) -> None:
    failing = stage("one", python("raise SystemExit(1)"))
    with running(tmp_path, {"churn": pipeline(failing, stage("two"), lock_behavior="lockOnFailure")}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        ci.promote("r2")
        assert ci.get("pipelines/churn/status").json()["locked"] is True
        assert len(ci.history("churn")) == 1


def test_a_passed_stage_triggers_the_pipelines_that_wait_for_it(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("build")), "churn-online": ONLINE}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn-online/1/deploy/1")["result"] == "Passed"
        cause = ci.history("churn-online")[0]["build_cause"]
        assert cause["trigger_message"] == "triggered by churn/1/build/1"
        assert cause["material_revisions"][0]["modifications"][0]["revision"] == "churn/1/build/1"


def test_running_a_stage_of_an_older_instance_again_triggers_nothing_downstream(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("build")), "churn-online": ONLINE}) as ci:
        ci.define()
        for number in (1, 2):
            ci.promote(f"r{number}")
            ci.finished(f"churn-online/{number}/deploy/1")
        ci.post("stages/churn/1/build/run", 2)
        ci.finished("churn/1/build/2")
        assert len(ci.history("churn-online")) == 2
        ci.post("stages/churn/2/build/run", 2)
        ci.finished("churn-online/3/deploy/1")
        assert ci.history("churn-online")[0]["build_cause"]["trigger_message"] == "triggered by churn/2/build/2"


def test_a_scheduled_run_asks_for_the_newest_revision_first(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        accepted = ci.post("pipelines/churn/schedule")
        assert (accepted.status_code, accepted.json()) == (
            202,
            {"message": "Request to schedule pipeline churn accepted"},
        )
        ci.finished("churn/2/one/1")
        newest = ci.history("churn")[0]["build_cause"]
        assert (newest["trigger_forced"], newest["approver"]) == (True, "anonymous")
        assert newest["material_revisions"][0]["changed"] is False
        assert "GO_MATERIAL_MODEL_HAS_CHANGED' to value 'false'" in ci.console("churn/2/one/1/one")


def test_a_scheduled_run_without_any_revision_says_so(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"))}) as ci:
        ci.define()
        assert ci.post("pipelines/churn/schedule").status_code == 202
        wanted = "Could not trigger pipeline 'churn'"
        poll_until(lambda: wanted in ci.get("server_health_messages").text, "a health message")
        assert ci.history("churn") == []


def test_five_stages_follow_one_another_while_no_clock_moves(tmp_path: Path) -> None:
    """A stage starts because the one before has ended, and not because somebody looks now and then."""
    quick = [stage(name, {"exec": {"command": "true"}}) for name in "abcde"]
    with running(tmp_path, {"churn": pipeline(*quick)}, clock=FakeClock()) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/e/1")["result"] == "Passed"
