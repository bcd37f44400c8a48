"""A promotion reaches GoCD at once: a real MLflow, the real plugin, a CI server with GoCD's timers and back-off."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.environments import JARS, ROOT
from services.gocd.client import GoCD
from services.mlflow.server import command, environment
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port

MODEL = "a-model"
PIPELINES = f"""
format_version: 10
pipelines:
  {MODEL}:
    group: models
    label_template: "${{COUNT}}-${{model}}"
    materials: {{model: {{package: {MODEL}}}}}
    stages:
      - build: {{jobs: {{build: {{resources: [python], tasks: [{{exec: {{command: "true"}}}}]}}}}}}
"""
# GoCD polls each minute and rests for five and more after a poll that failed. Here both take longer than any test
# waits, so what is seen does not come of GoCD's own polls, however slow the machine is.
GOCD_SECONDS = {"POLL": "36000", "BACKOFF": "36000", "BACKOFF_MAX": "36000"}


class Mlflow:
    """Its server, which can be taken away and brought back at its address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "mlflow.log").open("ab") as log:
            self._process = subprocess.Popen(
                command(self._folder, self._port), stdout=log, stderr=log, env=environment(os.environ)
            )
        poll_until(self._is_up, "MLflow", 120)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(PATIENCE)

    def post(self, path: str, **body: object) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/api/2.0/mlflow/{path}", json=body, timeout=30)
        return dict(answer.raise_for_status().json())

    def experiment(self, name: str = MODEL) -> str:
        query = {"experiment_name": name}
        found = httpx.get(f"{self.url}/api/2.0/mlflow/experiments/get-by-name", params=query, timeout=30)
        return str(found.raise_for_status().json()["experiment"]["experiment_id"])

    def finished_run(self) -> str:
        experiment = self.experiment()
        run_id = str(self.post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"])
        self.post("runs/update", run_id=run_id, status="FINISHED", end_time=1_795_334_460_000)
        return run_id

    def promote(self, run_id: str, value: str = "yes") -> None:
        """As a person does by hand in MLflow's UI."""
        self.post("runs/set-tag", run_id=run_id, key="promote", value=value)

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def process(arguments: list[str], log: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=output,
            stderr=output,
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(PATIENCE)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    server = Mlflow(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gocd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoCD]:
    plugin_jar, host_jar = (ROOT / jar for jar in JARS)
    if not (plugin_jar.is_file() and host_jar.is_file()):
        (pytest.fail if "CI" in os.environ else pytest.skip)("not built: run 'mvn -B package' in plugin/")
    folder = tmp_path_factory.mktemp("ci")
    (folder / "pipelines.gocd.yaml").write_text(PIPELINES)
    port = str(free_port())
    settings = {"PORT": port, "STATE": str(folder), "PIPELINES": str(folder / "pipelines.gocd.yaml")}
    settings |= {"PLUGIN_JAR": str(plugin_jar), "HOST_JAR": str(host_jar)}
    settings |= {f"{name}_SECONDS": value for name, value in GOCD_SECONDS.items()}
    variables = {f"TRACKBACK_CI_{name}": value for name, value in settings.items()}
    with (
        process(["services.embedded.server"], folder / "ci.log", **variables),
        GoCD(f"http://127.0.0.1:{port}/go") as client,
    ):
        poll_until(client.is_up, "the CI server")
        yield client


@pytest.fixture(scope="module")
def follower(
    gocd: GoCD, mlflow: Mlflow, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["subprocess.Popen[bytes]"]:
    """After a set-up, as the administrator of a GoCD leaves it running."""
    folder = tmp_path_factory.mktemp("follow")
    (folder / "models" / MODEL).mkdir(parents=True)
    (folder / "models" / MODEL / "model.yaml").touch()
    where = ["--url", gocd.url, "--models", str(folder / "models")]
    verb = [sys.executable, "-m", "services.delivery", "gocd", "set-up"]
    set_up = [*verb, *where, "--mlflow-url", mlflow.url, "--followed"]
    variables = {"MLFLOW_TRACKING_URI": mlflow.url}
    subprocess.run(set_up, env={**os.environ, "PYTHONPATH": str(ROOT), **variables}, check=True, capture_output=True)
    follow = ["services.delivery", "gocd", "follow", *where, "--ready", str(folder / "ready")]
    with process(follow, folder / "log", **variables) as running:
        poll_until((folder / "ready").exists, "the follower to begin")
        yield running


def health(gocd: GoCD) -> list[dict[str, Any]]:
    accept = {"Accept": "application/vnd.go.cd.v1+json"}
    answer = httpx.get(f"{gocd.url}/api/server_health_messages", headers=accept, timeout=30)
    return list(answer.raise_for_status().json())


def auto_update(gocd: GoCD) -> bool:
    return {package["id"]: bool(package["auto_update"]) for package in gocd.packages()}[MODEL]


def message(gocd: GoCD) -> str | None:
    """Why the last poll failed."""
    material = gocd.package_material(MODEL)
    messages = material["messages"] if material else []
    return str(messages[0]["description"]) if messages else None


def scheduled(gocd: GoCD, run_id: str, count: int = 1) -> bool:
    found = [one for one in gocd.history(MODEL) if one["label"].endswith(run_id[:8])]
    return len(found) >= count


@pytest.mark.usefixtures("follower")
def test_a_model_that_nobody_promoted_has_no_health_message_and_its_first_promotion_is_scheduled_at_once(
    mlflow: Mlflow, gocd: GoCD
) -> None:
    run_id = mlflow.finished_run()
    material = gocd.package_material(MODEL)
    assert material
    assert (health(gocd), material["modification"], auto_update(gocd)) == ([], None, False)
    mlflow.promote(run_id)
    poll_until(lambda: scheduled(gocd, run_id), "the promotion to be scheduled")
    assert (health(gocd), auto_update(gocd)) == ([], True)


@pytest.mark.usefixtures("follower")
def test_a_promotion_is_scheduled_at_once_although_gocd_rests_after_a_failed_poll(mlflow: Mlflow, gocd: GoCD) -> None:
    run_id = mlflow.finished_run()
    material = gocd.package_material(MODEL)
    assert material
    experiment = mlflow.experiment()
    mlflow.post("experiments/update", experiment_id=experiment, new_name="away")
    poll_until(lambda: gocd.trigger_update(material["config"]["fingerprint"]), "a poll that fails")
    poll_until(lambda: message(gocd), "the poll to fail")
    mlflow.post("experiments/update", experiment_id=experiment, new_name=MODEL)
    mlflow.promote(run_id)
    poll_until(lambda: scheduled(gocd, run_id), "the promotion to be scheduled")
    poll_until(lambda: message(gocd) is None, "the message to be gone")


@pytest.mark.usefixtures("follower")
def test_two_runs_that_are_tagged_together_and_one_that_is_tagged_anew_are_all_seen_at_once(
    mlflow: Mlflow, gocd: GoCD
) -> None:
    runs = [mlflow.finished_run() for _ in range(2)]
    for run_id in runs:
        mlflow.promote(run_id)
    for run_id in runs:
        poll_until(lambda run_id=run_id: scheduled(gocd, run_id), "both to be scheduled")  # type: ignore[misc]
    mlflow.promote(runs[0], "once more")
    poll_until(lambda: scheduled(gocd, runs[0], 2), "the run that is promoted again")


@pytest.mark.usefixtures("follower")
def test_a_promotion_after_an_outage_of_mlflow_is_scheduled_at_once(mlflow: Mlflow, gocd: GoCD) -> None:
    run_id = mlflow.finished_run()
    material = gocd.package_material(MODEL)
    assert material
    mlflow.stop()
    poll_until(lambda: gocd.trigger_update(material["config"]["fingerprint"]), "a poll during the outage")
    assert "it cannot be reached" in poll_until(lambda: message(gocd), "the poll to fail")
    mlflow.start()
    mlflow.promote(run_id)
    poll_until(lambda: scheduled(gocd, run_id), "the promotion to be scheduled")
    poll_until(lambda: message(gocd) is None, "the message to be gone")


def test_the_follower_ends_when_it_is_asked_to(follower: "subprocess.Popen[bytes]") -> None:
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(PATIENCE) == 0
