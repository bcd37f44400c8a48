"""The file of the pipelines while the server runs: what is added runs, what is wrong is said and changes nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.embedded_ci import FAST, CiWithFakePlugin, pipeline, python, running, stage, written
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

CHURN = {"churn": pipeline(stage("fetch", python("print('churn')")))}
CREDIT = {"credit": pipeline(stage("fetch", python("print('credit')")), materials={"model": {"package": "credit"}})}


@pytest.fixture
def ci(tmp_path: Path) -> Iterator[CiWithFakePlugin]:
    with running(tmp_path, CHURN, FAST) as ci:
        yield ci


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pipelines.gocd.yaml"


def complaints(ci: CiWithFakePlugin) -> list[dict[str, Any]]:
    found = ci.get("server_health_messages").json()
    return [dict(message) for message in found if message["message"].startswith("Reading the pipelines failed")]


def test_a_pipeline_that_is_added_runs_without_a_restart(ci: CiWithFakePlugin, file: Path) -> None:
    ci.define()
    ci.promote("r1")
    assert ci.finished("churn/1/fetch/1")["result"] == "Passed"
    file.write_text(written(CHURN | CREDIT))
    ci.define("credit")
    poll_until(lambda: len(ci.engine.materials.pollers()) == 2, "the poller of the new package")
    ci.promote("c1", "credit")
    assert ci.finished("credit/1/fetch/1")["result"] == "Passed"
    assert len(ci.history("churn")) == 1


def test_a_job_that_runs_ends_well_while_pipelines_are_added(tmp_path: Path, file: Path) -> None:
    gate = tmp_path / "gate"
    waits = python(f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)")
    slow = {"churn": pipeline(stage("fetch", waits))}
    with running(tmp_path, slow, FAST) as ci:
        ci.define()
        ci.promote("r1")
        file.write_text(written(slow | CREDIT))
        poll_until(lambda: "credit" in ci.engine.pipelines.pipelines, "the new pipeline")
        gate.touch()
        assert ci.finished("churn/1/fetch/1")["result"] == "Passed"


@pytest.mark.parametrize("wrong", ["format_version: 10\npipelines: {churn: [", "format_version: 9\n", None])
def test_a_wrong_file_is_said_and_the_last_good_one_stays_in_force(
    ci: CiWithFakePlugin, file: Path, wrong: str | None
) -> None:
    if wrong is None:
        file.unlink()
    else:
        file.write_text(wrong)
    (complaint,) = poll_until(lambda: complaints(ci), "the complaint")
    assert (complaint["level"], str(file) in complaint["detail"]) == ("ERROR", True)
    assert complaint["message"].endswith("Those that were read before stay in force.")
    ci.define()
    ci.promote("r1")
    assert ci.finished("churn/1/fetch/1")["result"] == "Passed"
    file.write_text(written(CHURN | CREDIT))
    poll_until(lambda: not complaints(ci), "the end of the complaint")
    assert sorted(ci.engine.pipelines.pipelines) == ["churn", "credit"]


def test_a_pipeline_that_is_taken_out_runs_no_more_and_keeps_its_history(ci: CiWithFakePlugin, file: Path) -> None:
    ci.define()
    ci.promote("r1")
    ci.finished("churn/1/fetch/1")
    file.write_text(written(CREDIT))
    poll_until(lambda: ci.get("pipelines/churn/history").status_code == 404, "the end of the pipeline")
    file.write_text(written(CHURN))
    poll_until(lambda: ci.get("pipelines/churn/history").status_code == 200, "the pipeline again")
    assert len(ci.history("churn")) == 1
