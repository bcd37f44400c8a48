"""The real plugin jar in its JVM host, polling a real MLflow."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.contract.errors import Refused
from services.contract.promotion import event_id
from services.embedded.plugin.interface import PluginFailed, PluginInfo
from services.embedded.plugin.plugin_host import PluginHost, find_java
from tests.support.mlflow_experiment import Experiment
from tests.support.paths import ROOT
from tests.support.version import VERSION

PLUGIN = ROOT / "plugin"
HOST_JAR = PLUGIN / "host/target/trackback-plugin-host.jar"
PLUGIN_JAR = PLUGIN / "package-repository/target/trackback-mlflow-plugin.jar"
WRITTEN = "1 2026-11-22T08:00:00Z ada"


@pytest.fixture(scope="module")
def jars() -> tuple[Path, Path]:
    missing = [str(jar) for jar in (HOST_JAR, PLUGIN_JAR) if not jar.is_file()]
    refuse = pytest.fail if "CI" in os.environ else pytest.skip
    if missing:
        refuse(f"not built: {', '.join(missing)}: run 'mvn -B package' in {PLUGIN}")
    return HOST_JAR, PLUGIN_JAR


@pytest.fixture
def host(jars: tuple[Path, Path], tmp_path: Path) -> Iterator[PluginHost]:
    with PluginHost(find_java(os.environ), *jars, tmp_path / "plugin") as host:
        yield host


@pytest.fixture
def experiment(mlflow_url: str, host: PluginHost) -> Experiment:
    return Experiment(mlflow_url, host)


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        threading.Event().wait(0.02)


def test_the_plugin_says_who_it_is(host: PluginHost) -> None:
    assert host.plugin == PluginInfo(id="trackback.mlflow", version=VERSION, name="Trackback MLflow")


def test_a_promoted_run_becomes_a_revision_with_its_model(experiment: Experiment) -> None:
    run_id = experiment.run("boosted")
    experiment.tag(run_id, WRITTEN)
    experiment.tag(run_id, "lower error", key="promote.reason")
    revision = experiment.poll()
    data = revision.pop("data")
    assert revision == {
        "revision": f"1-{run_id[:8]}",
        "timestamp": "2026-11-22T08:00:00.000Z",
        "user": "ada",
        "revisionComment": f"{experiment.name}: run boosted ({run_id[:8]}) promoted by ada: lower error",
        "trackbackUrl": f"{experiment.url}/#/experiments/{experiment.id}/runs/{run_id}",
    }
    assert data["MODEL_URI"] == f"models:/{data['MODEL_ID']}"
    assert data["ARTIFACT_URI"] == f"mlflow-artifacts:/{experiment.id}/models/{data['MODEL_ID']}/artifacts"
    assert data["SEEN"] == event_id(run_id, WRITTEN)


def test_a_second_poll_is_quiet_until_the_tag_changes(experiment: Experiment) -> None:
    first_run, second_run = experiment.run("plain"), experiment.run("boosted")
    experiment.tag(first_run, WRITTEN)
    first = experiment.poll()
    assert experiment.poll(first) == {}
    experiment.tag(second_run, "true")
    second = experiment.poll(first)
    assert (second["revision"], second["user"]) == (f"2-{second_run[:8]}", "unknown")
    experiment.tag(first_run, "again")
    third = experiment.poll(second)
    assert third["revision"] == f"3-{first_run[:8]}"
    assert experiment.poll(third) == {}


def test_the_log_has_a_line_a_promotion_and_for_debugging_one_a_question_and_never_a_secret(
    mlflow_url: str, jars: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-Dplugin.trackback.mlflow.log.level=DEBUG")
    log = tmp_path / "plugin.log"
    with PluginHost(find_java(os.environ), *jars, tmp_path / "plugin", log) as host:
        experiment = Experiment(mlflow_url, host)
        run_id = experiment.run("boosted\n\x1b[31mred")
        experiment.tag(run_id, WRITTEN)
        message = json.loads(experiment.message())
        message["repository-configuration"]["MLFLOW_TOKEN"] = {"value": "canary"}
        assert host.call("latest-revision", json.dumps(message)).code == 200
    lines = log.read_text().splitlines()
    reports = [line.partition(" INFO ")[2] for line in lines if " INFO " in line]
    expected = f"reports 1-{run_id[:8]}: {experiment.name}: run boosted[31mred ({run_id[:8]}) promoted by ada"
    assert reports == [expected]
    questions = [
        line for line in lines if re.search(r"Z DEBUG asked MLflow for .*: status 200, \d+ bytes, \d+ ms$", line)
    ]
    assert len(questions) == 3
    assert "canary" not in log.read_text()


def test_an_empty_tag_value_is_a_promotion(experiment: Experiment) -> None:
    run_id = experiment.run("plain")
    experiment.tag(run_id, "")
    assert experiment.poll()["data"]["RUN_ID"] == run_id


def test_a_failed_run_without_a_model_is_reported(experiment: Experiment) -> None:
    experiment.tag(experiment.run("broken", status="FAILED", model=None), WRITTEN)
    data = experiment.poll()["data"]
    assert (data["RUN_STATUS"], data["MODEL_ID"], data["MODEL_URI"]) == ("FAILED", "", "")


def test_a_running_run_waits_for_its_end(experiment: Experiment) -> None:
    experiment.tag(experiment.run("going", status="RUNNING"), WRITTEN)
    reply = experiment.host.call("latest-revision", experiment.message())
    expected = f"nothing promoted in experiment {experiment.name} yet: tag a run with 'promote'"
    assert (reply.code, reply.body) == (500, expected)


def test_only_the_model_of_the_configured_name_counts(experiment: Experiment) -> None:
    experiment.tag(experiment.run("other", model="tokenizer"), WRITTEN)
    assert experiment.poll()["data"]["MODEL_ID"] == ""


def test_a_killed_jvm_is_replaced_at_the_next_call(experiment: Experiment) -> None:
    experiment.tag(experiment.run("plain"), WRITTEN)
    first = experiment.poll()
    killed = experiment.host.pid
    os.kill(killed, signal.SIGKILL)
    assert experiment.poll(first) == {}
    assert experiment.host.pid != killed


def test_a_question_that_was_open_when_the_jvm_died_is_asked_again(experiment: Experiment) -> None:
    experiment.tag(experiment.run("plain"), WRITTEN)
    host, killed = experiment.host, experiment.host.pid
    os.kill(killed, signal.SIGSTOP)
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(experiment.poll()))
    asking.start()
    wait_until(lambda: bool(host._jvm and host._jvm._waiting), "the question is under way")
    os.kill(killed, signal.SIGKILL)
    asking.join(60)
    assert [answer["user"] for answer in answers] == ["ada"]


def test_half_an_answer_is_no_answer(tmp_path: Path) -> None:
    ready = json.dumps({"ready": True, "plugin": {"id": "x", "version": "1", "name": "X"}})
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{ready}'\nread request\nprintf '{{\"id\": 1, \"co'\n")
    java.chmod(0o700)
    log = tmp_path / "plugin.log"
    said = f"the plugin's JVM ended twice before it answered 'latest-revision': see {log}"
    with (
        PluginHost(java, java, java, tmp_path / "plugin", log) as host,
        pytest.raises(PluginFailed, match=re.escape(said)),
    ):
        host.call("latest-revision", None)


def test_an_answer_that_does_not_come_in_time_fails_in_words(host: PluginHost) -> None:
    os.kill(host.pid, signal.SIGSTOP)
    try:
        with pytest.raises(PluginFailed, match=r"did not answer 'repository-configuration' within 0\.2 s"):
            host.call("repository-configuration", None, timeout=0.2)
    finally:
        os.kill(host.pid, signal.SIGCONT)


def test_what_the_plugin_throws_is_told(host: PluginHost) -> None:
    with pytest.raises(PluginFailed, match=r"invalid request type.*go\.plugin-settings\.get-view"):
        host.call("go.plugin-settings.get-view", None)


def test_a_jar_that_is_no_plugin_is_told(jars: tuple[Path, Path], tmp_path: Path) -> None:
    with (
        PluginHost(find_java(os.environ), jars[0], jars[0], tmp_path / "plugin") as host,
        pytest.raises(PluginFailed, match=r"the plugin is invalid: .*expected plugin\.xml in it, found none"),
    ):
        host.call("repository-configuration", None)


def test_nothing_is_left_after_close_nor_of_a_jvm_that_was_killed(jars: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "plugin" / "jvm-of-a-killed-server").mkdir(parents=True)
    host = PluginHost(find_java(os.environ), *jars, tmp_path / "plugin")
    pid = host.pid
    host.close()
    assert list((tmp_path / "plugin").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(PluginFailed, match="closed"):
        host.call("repository-configuration", None)


def test_a_missing_jar_and_a_missing_java_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="expected the built plugin, found none"):
        PluginHost(Path("java"), tmp_path / "host.jar", tmp_path / "plugin.jar", tmp_path / "plugin")
    with pytest.raises(Refused, match="expected java of a JDK 17 or newer, found none"):
        find_java({"PATH": str(tmp_path)})
