"""What a job gets, what it says and what it leaves, in GoCD's forms."""

import json
import re
import sys
import threading
from pathlib import Path

import psutil
import pytest

from services.embedded.agent.console import Console
from services.embedded.agent.exec_task import ExecRunner
from services.embedded.clock import SystemClock
from services.embedded.pipelines.pipeline_config import Exec
from tests.support.embedded_ci import pipeline, python, running, stage
from tests.support.poll import poll_until

pytestmark = pytest.mark.process


ENVIRONMENT = """
    import json, os, pathlib
    pathlib.Path("environment.json").write_text(json.dumps(dict(os.environ)))
"""
WRITES = """
    import pathlib
    pathlib.Path("out/deep").mkdir(parents=True)
    pathlib.Path("out/report.html").write_text("<script>alert(1)</script>")
    pathlib.Path("out/deep/a.txt").write_text("deep")
"""
KEEPS = {"artifacts": [{"build": {"source": "out", "destination": "kept"}}, {"build": {"source": "out/report.html"}}]}


def test_a_job_gets_the_variables_of_gocd_in_its_order_and_its_own_last(tmp_path: Path) -> None:
    job = {"environment_variables": {"TARGET": "job"}, "artifacts": [{"build": {"source": "environment.json"}}]}
    first = stage("fetch", python(ENVIRONMENT), job=job, environment_variables={"TARGET": "stage"})
    with running(tmp_path, {"churn": pipeline(first, environment_variables={"MORE": "1"})}) as ci:
        ci.define()
        ci.promote("r1", RUN_ID="abc", NOTE="from data")
        ci.finished("churn/1/fetch/1")
        expected = {
            "GO_SERVER_URL": "http://127.0.0.1:8153/go",
            "GO_PIPELINE_GROUP_NAME": "ml",
            "GO_AGENT_RESOURCES": "python",
            "GO_TRIGGER_USER": "changes",
            "GO_PIPELINE_NAME": "churn",
            "GO_PIPELINE_COUNTER": "1",
            "GO_PIPELINE_LABEL": "1",
            "GO_STAGE_NAME": "fetch",
            "GO_STAGE_COUNTER": "1",
            "GO_JOB_NAME": "fetch",
            "GO_PACKAGE_MODEL_LABEL": "r1",
            "GO_REPO_MODEL_STUB_URL": "http://stub.local:5000",
            "GO_REPO_MODEL_TOKEN": "s3cret+tok/en",
            "GO_PACKAGE_MODEL_PKG": "churn",
            "GO_PACKAGE_MODEL_NOTE": "from data",
            "GO_PACKAGE_MODEL_RUN_ID": "abc",
            "GO_MATERIAL_MODEL_HAS_CHANGED": "true",
            "MORE": "1",
            "TARGET": "job",
        }
        shown = re.findall(r"setting environment variable '(\w+)'", ci.console("churn/1/fetch/1/fetch"))
        assert shown == list(expected)
        found = json.loads(ci.http.get("/go/files/churn/1/fetch/1/fetch/environment.json").text)
        assert {key: found[key] for key in expected} == expected
        assert found["INHERITED"] == "yes"


def test_a_downstream_job_gets_the_locator_and_not_the_package(tmp_path: Path) -> None:
    online = pipeline(stage("deploy"), materials={"release": {"pipeline": "churn", "stage": "build"}})
    labelled = pipeline(stage("build"), label_template="${COUNT}-${model}")
    with running(tmp_path, {"churn": labelled, "online": online}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("online/1/deploy/1")
        console = ci.console("online/1/deploy/1/deploy")
        shown = dict(re.findall(r"setting environment variable '(\w+)' to value '(.*)'", console))
        assert list(shown)[10:] == [
            "GO_DEPENDENCY_LABEL_RELEASE",
            "GO_DEPENDENCY_LOCATOR_RELEASE",
            "GO_MATERIAL_RELEASE_HAS_CHANGED",
        ]
        assert shown["GO_DEPENDENCY_LABEL_RELEASE"] == "1-r1"
        assert shown["GO_DEPENDENCY_LOCATOR_RELEASE"] == "churn/1/build/1"


def test_the_console_has_the_lines_of_gocd(tmp_path: Path) -> None:
    task = python("import sys; print('out'); print('err', file=sys.stderr)")
    with running(tmp_path, {"churn": pipeline(stage("one", task))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        lines = ci.console("churn/1/one/1/one").splitlines()
    assert all(re.match(r"^(##|pr|!!|&1|&2|\?0|j0|ar|ex)\|\d\d:\d\d:\d\d\.\d{3} ", line) for line in lines)
    said = [f"{line[:2]} {line[16:]}" for line in lines]
    where = f"churn/1/one/1/one on agent-1 [{tmp_path}]".replace("agent-1", said[1].split(" on ")[1].split()[0])
    assert re.fullmatch(r"## \[go\] Job Started: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+", said[0])
    assert said[1:4] == [f"pr [go] Start to prepare {where}", "pr [go] Start to update materials.", "pr "]
    assert said[4] == "pr [go] setting environment variable 'GO_SERVER_URL' to value 'http://127.0.0.1:8153/go'"
    assert f"## [go] Start to build {where}" in said
    assert any(line.startswith("!! [go] Task: ") for line in said)
    assert {"&1 out", "&2 err", "j0 [go] Current job status: passed"} <= set(said)
    assert any(re.fullmatch(r"\?0 \[go\] Task status: passed \(\d+ ms\)", line) for line in said)
    assert said[-2:] == [f"ar [go] Start to upload {where}", f"ex [go] Job completed {where}"]


def test_a_secret_is_masked_in_the_preparation_and_in_the_output(tmp_path: Path) -> None:
    task = python("import os; print('token', os.environ['GO_REPO_MODEL_TOKEN'])")
    with running(tmp_path, {"churn": pipeline(stage("one", task))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        console = ci.console("churn/1/one/1/one")
        assert "'GO_REPO_MODEL_TOKEN' to value '********'" in console
        assert "token ******\n" in console
        assert "s3cret" not in console


def test_control_characters_do_not_reach_the_console(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one", python(r"print('a\x1b]8;;http://evil\x07b\x9b')")))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert re.search(r"&1\|[\d:.]+ a\]8;;http://evilb\n", ci.console("churn/1/one/1/one"))


def test_the_console_grows_while_the_job_runs_and_can_be_read_from_a_line(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    task = python(f"""
        import pathlib, time
        print("first", flush=True)
        while not pathlib.Path({str(gate)!r}).exists():
            time.sleep(0.01)
    """)
    with running(tmp_path, {"churn": pipeline(stage("one", task))}) as ci:
        ci.define()
        ci.promote("r1")
        poll_until(lambda: re.search(r"&1\|[\d:.]+ first", ci.console("churn/1/one/1/one")), "the first line")
        gate.touch()
        ci.finished("churn/1/one/1")
        lines = ci.console("churn/1/one/1/one").splitlines()
        log = "/go/files/churn/1/one/1/one/cruise-output/console.log"
        assert ci.http.get(f"{log}?startLineNumber=3").text.splitlines() == lines[3:]


def test_artifacts_are_kept_listed_and_served_so_that_a_report_cannot_act(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one", python(WRITES), job=KEEPS))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        job = "/go/files/churn/1/one/1/one"
        assert ci.http.get(f"{job}/kept/out/deep/a.txt").text == "deep"
        report = ci.http.get(f"{job}/report.html")
        assert report.headers["content-type"].startswith("text/html")
        assert "script" not in report.headers["content-security-policy"]
        assert "default-src 'none'" in report.headers["content-security-policy"]
        names = [entry["name"] for entry in ci.http.get(f"{job}.json").json()]
        assert names == ["cruise-output", "kept", "report.html"]
        assert ci.http.get(f"{job}/kept.json").json()[0]["files"][0]["name"] == "deep"
        assert ci.http.get(f"{job}/kept").status_code == 404
        assert ci.http.get(f"{job}/..%2f..%2f..%2f..%2f..%2f..%2fhistory.db").status_code == 404


def test_a_failed_job_keeps_its_artifacts(tmp_path: Path) -> None:
    failing = stage("one", python(WRITES), python("raise SystemExit(1)"), job=KEEPS)
    with running(tmp_path, {"churn": pipeline(failing)}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/one/1")["result"] == "Failed"
        assert ci.http.get("/go/files/churn/1/one/1/one/report.html").status_code == 200


def test_a_job_that_leaves_less_than_it_promised_fails(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one", job=KEEPS))}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/one/1")["result"] == "Failed"
        assert f"[go] Failed to find {tmp_path}/pipelines/churn/out" in ci.console("churn/1/one/1/one")


def test_a_fetch_brings_a_file_and_a_folder_of_an_earlier_job(tmp_path: Path) -> None:
    fetched = stage(
        "two",
        {"fetch": {"stage": "one", "job": "one", "source": "report.html", "is_file": True, "destination": "in"}},
        {"fetch": {"stage": "one", "job": "one", "source": "kept", "destination": "in"}},
        python("import pathlib; print(sorted(str(p) for p in pathlib.Path('in').rglob('*.*')))"),
        clean_workspace=True,
    )
    with running(tmp_path, {"churn": pipeline(stage("one", python(WRITES), job=KEEPS), fetched)}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/two/1")["result"] == "Passed"
        console = ci.console("churn/1/two/1/two")
        assert "['in/kept/out/deep/a.txt', 'in/kept/out/report.html', 'in/report.html']" in console
        assert "[go] Task: fetch artifact [report.html] => [in] from [churn/one/one]" in console
        assert "[go] Fetching artifact [report.html] from [churn/1/one/latest/one]" in console
        assert "Saved artifact to [report.html] after verifying the integrity of its contents." in console


def test_a_fetch_of_a_file_that_was_changed_fails(tmp_path: Path) -> None:
    changes = python(f"""
        import pathlib
        pathlib.Path({str(tmp_path)!r}, "artifacts/churn/1/one/1/one/report.html").write_text("other")
    """)
    fetch = {"fetch": {"stage": "one", "job": "one", "source": "report.html", "is_file": True}}
    with running(
        tmp_path, {"churn": pipeline(stage("one", python(WRITES), job=KEEPS), stage("two", changes, fetch))}
    ) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/two/1")["result"] == "Failed"
        assert "its checksum differs" in ci.console("churn/1/two/1/two")


def test_a_downstream_job_fetches_from_the_instance_it_was_triggered_by(tmp_path: Path) -> None:
    writes = python("import os; open('label.txt', 'w').write(os.environ['GO_PACKAGE_MODEL_LABEL'])")
    build = stage("build", writes, job={"artifacts": [{"build": {"source": "label.txt"}}]})
    fetch = {"fetch": {"pipeline": "churn", "stage": "build", "job": "build", "source": "label.txt", "is_file": True}}
    deploy = stage("deploy", fetch, python("print('got', open('label.txt').read())"))
    online = pipeline(deploy, materials={"release": {"pipeline": "churn", "stage": "build"}})
    with running(tmp_path, {"churn": pipeline(build), "online": online}) as ci:
        ci.define()
        for number in (1, 2):
            ci.promote(f"r{number}")
            ci.finished(f"online/{number}/deploy/1")
        ci.post("stages/online/1/deploy/run", 2)
        ci.finished("online/1/deploy/2")
        assert " got r1\n" in ci.console("online/1/deploy/2/deploy")
        assert " got r2\n" in ci.console("online/2/deploy/1/deploy")


def test_tasks_run_as_their_condition_says(tmp_path: Path) -> None:
    def says(text: str, run_if: str) -> dict[str, object]:
        return {"exec": {"command": "echo", "arguments": [text], "run_if": run_if}}

    tasks = [says("early", "failed"), python("raise SystemExit(1)"), says("no", "passed"), says("yes", "failed")]
    with running(tmp_path, {"churn": pipeline(stage("one", *tasks, says("always", "any")))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        said = re.findall(r"&1\|[\d:.]+ (.*)", ci.console("churn/1/one/1/one"))
        assert said == ["yes", "always"]


def test_an_argument_reaches_the_command_as_it_is(tmp_path: Path) -> None:
    hostile = "$(touch pwned); `id` ${HOME} 'a' \"b\" * \\"
    task = {"exec": {"command": sys.executable, "arguments": ["-c", "import sys; print(sys.argv[1])", hostile]}}
    with running(tmp_path, {"churn": pipeline(stage("one", task))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert f" {hostile}\n" in ci.console("churn/1/one/1/one")


def test_a_command_that_does_not_exist_fails_its_job_with_a_reason(tmp_path: Path) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one", {"exec": {"command": "no-such-command"}}))}) as ci:
        ci.define()
        ci.promote("r1")
        assert ci.finished("churn/1/one/1")["result"] == "Failed"
        assert "Please make sure [no-such-command] can be executed" in ci.console("churn/1/one/1/one")


def test_a_silent_task_is_ended_with_its_children(tmp_path: Path) -> None:
    console = Console(tmp_path / "console.log", SystemClock())
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    started: list[int] = []
    family: list[psutil.Process] = []

    def note(pid: int) -> None:
        started.append(pid)
        family.append(
            poll_until(lambda: next(iter(psutil.Process(pid).children()), None), "the task's child", pause=0.01)
        )

    runner = ExecRunner(console, {}, note, threading.Event())
    outcome = runner.run(Exec(command=sys.executable, arguments=("-c", code)), tmp_path, idle_seconds=0.5)
    console.close()
    assert outcome.cancelled
    assert not psutil.pid_exists(started[0])
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_a_clean_workspace_is_empty_and_another_is_kept(tmp_path: Path) -> None:
    leaves = python("import pathlib; pathlib.Path('left').touch()")
    looks = python("import os; print(os.listdir())")
    stages = (stage("one", leaves), stage("two", looks), stage("three", looks, clean_workspace=True))
    with running(tmp_path, {"churn": pipeline(*stages)}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/three/1")
        assert " ['left']\n" in ci.console("churn/1/two/1/two")
        assert " []\n" in ci.console("churn/1/three/1/three")
