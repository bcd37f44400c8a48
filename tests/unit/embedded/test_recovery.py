"""What a server that died leaves behind, and what the next one makes of it."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.contract.errors import Refused
from services.contract.process_identity import identity
from services.embedded.engine import CiEngine
from services.embedded.state_lock import lock_state
from tests.support.embedded_ci import create_engine, pipeline, python, running, stage
from tests.support.embedded_fakes import FakePlugin, revision
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

SLEEPS = "import time; time.sleep(60)"
TWO_STAGES = {"churn": pipeline(stage("one", python("print('ran')")), stage("two"))}


def left_behind(state: Path, pipelines: dict[str, Any]) -> CiEngine:
    """The history of a server that was killed while its first job ran: it was never started, so nothing tidies up."""
    with running(state, {"other": pipeline(stage("one"))}) as ci:
        ci.define()
    plugin = FakePlugin()
    plugin.offers["churn"] = revision("r1")
    dead = create_engine(state, pipelines, plugin)
    package = dead.catalog.packages()[0]
    found = dead.plugin.latest(package, None)
    assert found
    assert dead.modifications.add(package.fingerprint, found)
    dead.scheduler.consider_all()
    (job,) = dead.stages.waiting_jobs()
    dead.stages.assign_job(job, "agent-1")
    dead.stages.move_job(job, "Building")
    return dead


def test_a_job_that_ran_when_the_server_died_runs_again_once_under_its_counters(tmp_path: Path) -> None:
    dead = left_behind(tmp_path, TWO_STAGES)
    log = tmp_path / "artifacts/churn/1/one/1/one/cruise-output/console.log"
    log.parent.mkdir(parents=True)
    log.write_text("##|00:00:00.000 [go] Job Started: long ago\n")
    with running(tmp_path, TWO_STAGES) as ci:
        assert ci.finished("churn/1/two/1")["result"] == "Passed"
        assert ci.stage("churn/1/one/2") is None
        assert [it["counter"] for it in ci.history("churn")] == [1]
        console = ci.console("churn/1/one/1/one")
        assert console.startswith("##|00:00:00.000 [go] Job Started: long ago\n")
        assert console.count("Job Started") == 2
        assert console.count(" ran\n") == 1
    assert dead.stages.interrupted_jobs() == []


def test_what_the_dead_server_left_running_is_ended_first(tmp_path: Path) -> None:
    dead = left_behind(tmp_path, TWO_STAGES)
    with subprocess.Popen([sys.executable, "-c", SLEEPS]) as orphan:
        (job,) = dead.stages.interrupted_jobs()
        dead.stages.note_process(job, orphan.pid, identity(orphan.pid))
        reaper = threading.Thread(target=orphan.wait)
        reaper.start()
        with running(tmp_path, TWO_STAGES) as ci:
            assert ci.finished("churn/1/two/1")["result"] == "Passed"
            assert not psutil.pid_exists(orphan.pid)
        reaper.join()


def test_another_process_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    dead = left_behind(tmp_path, TWO_STAGES)
    with subprocess.Popen([sys.executable, "-c", SLEEPS]) as stranger:
        (job,) = dead.stages.interrupted_jobs()
        dead.stages.note_process(job, stranger.pid, f"{identity(stranger.pid)}0")
        with running(tmp_path, TWO_STAGES) as ci:
            ci.finished("churn/1/two/1")
            assert stranger.poll() is None
        stranger.kill()


def test_a_revision_that_was_recorded_and_not_yet_scheduled_is_delivered(tmp_path: Path) -> None:
    with running(tmp_path, {"other": pipeline(stage("one"))}) as ci:
        ci.define()
    plugin = FakePlugin()
    plugin.offers["churn"] = revision("r1")
    dead = create_engine(tmp_path, TWO_STAGES, plugin)
    package = dead.catalog.packages()[0]
    found = dead.plugin.latest(package, None)
    assert found
    dead.modifications.add(package.fingerprint, found)
    with running(tmp_path, TWO_STAGES) as ci:
        assert ci.finished("churn/1/two/1")["result"] == "Passed"


def test_an_orderly_stop_ends_the_jobs_processes_and_the_job_runs_at_the_next_start(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waits = python(f"""
        import pathlib, time
        print("up", flush=True)
        while not pathlib.Path({str(gate)!r}).exists():
            time.sleep(0.01)
    """)
    pipelines = {"churn": pipeline(stage("one", waits))}
    others = set(psutil.Process().children(recursive=True))
    with running(tmp_path, pipelines) as ci:
        ci.define()
        ci.promote("r1")
        poll_until(lambda: " up\n" in ci.console("churn/1/one/1/one"), "the job", pause=0.02)
        assert set(psutil.Process().children(recursive=True)) > others
    assert set(psutil.Process().children(recursive=True)) == others
    gate.touch()
    with running(tmp_path, pipelines) as ci:
        assert ci.finished("churn/1/one/1")["result"] == "Passed"


def test_a_job_that_the_pipelines_no_longer_have_fails(tmp_path: Path) -> None:
    left_behind(tmp_path, TWO_STAGES)
    with running(tmp_path, {"churn": pipeline(stage("other"))}) as ci:
        assert ci.finished("churn/1/one/1")["result"] == "Failed"


def test_a_second_server_on_the_same_state_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with lock_state(tmp_path / "state"), pytest.raises(Refused, match=r"found the one of process \d+"):
        lock_state(tmp_path / "state")
    lock_state(tmp_path / "state").close()
