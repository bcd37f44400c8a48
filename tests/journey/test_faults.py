"""Every part is killed during a delivery: it is delivered exactly once, and whoever answered goes on answering."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from services.contract import names
from tests.support.platform_client import MODEL, Access, PlatformClient, example
from tests.support.platform_process import (
    RunningPlatform,
    family,
    platform_variables,
    processes_of,
    running_platform,
    says,
)
from tests.support.poll import PATIENCE, poll_until

# By the stage during which each dies.
KILLED = {
    "fetch": "--backend-store-uri",
    "validate": "services.embedded.server",
    "package": "trackback-plugin-host.jar",
    "deploy": "services.rollout",
}


@dataclass
class Scene:
    """A platform of our own, because these tests kill its processes, and two runs to promote in turn."""

    platform: RunningPlatform
    client: PlatformClient
    runs: list[str]

    def next_run(self) -> str:
        self.runs.reverse()
        return self.runs[0]

    def processes(self, word: str) -> list[psutil.Process]:
        """Those of this platform whose command line has the word."""
        ours = {*family(self.platform.process.pid), *processes_of(self.platform.state)}
        return [process for process in ours if says(process, word)]

    def kill(self, word: str) -> None:
        victims = self.processes(word)
        assert victims, f"no process of the platform has '{word}' in its command line"
        for victim in victims:
            victim.send_signal(signal.SIGKILL)

    def stage_runs(self, stage: str, after: int) -> Callable[[], bool]:
        def look() -> bool:
            return any(
                one["name"] == stage and one.get("status") in ("Building", "Passed")
                for build in self.client.instances(MODEL) + self.client.instances(f"{MODEL}-online")
                if build["counter"] > after
                for one in build["stages"]
            )

        return look


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_platform(tmp_path_factory.mktemp("faults") / "state") as platform:
        client = PlatformClient(Access(platform.urls, platform.environment))
        runs = [client.train("--variant", variant) for variant in ("boosted", "boosted-slow")]
        scene = Scene(platform, client, runs)
        client.promote(scene.next_run(), "to begin with")
        client.delivered(0, scene.runs[0])
        yield scene


def delivered_once(scene: Scene, before: int, run_id: str) -> None:
    build = scene.client.delivered(before, run_id)
    assert set(scene.client.stages(build).values()) == {"Passed"}, scene.client.stages(build)
    assert scene.client.newest(MODEL) == before + 1
    assert scene.client.newest(f"{MODEL}-online") == before + 1
    revision = scene.client.ask().headers[names.REVISION_HEADER]
    assert revision == f"{before + 1}-{run_id[:8]}"
    assert scene.client.champion() == run_id


def test_each_part_that_is_killed_in_turn_costs_no_request_and_no_promotion(scene: Scene) -> None:
    """Nor does a promotion that the dying JVM host never saw."""
    run_id, before = scene.next_run(), scene.client.newest(MODEL)
    with scene.client.keeps_asking() as asking:
        scene.kill("trackback-plugin-host.jar")
        scene.client.tag(run_id, f"by hand at {time.time_ns()}")
        for stage, victim in KILLED.items():
            poll_until(scene.stage_runs(stage, before), f"stage {stage} to run", pause=0.02)
            scene.kill(victim)
        delivered_once(scene, before, run_id)
    assert asking.failures == []
    assert f"{before + 1}-{run_id[:8]}" in asking.answers


def test_a_killed_serving_process_is_back_and_the_promotion_is_delivered(scene: Scene) -> None:
    run_id, before = scene.next_run(), scene.client.newest(MODEL)
    old = scene.client.ask().headers[names.REVISION_HEADER]
    url = scene.client.invocations_url()
    scene.client.promote(run_id, "while the serving process is killed")
    poll_until(scene.stage_runs("validate", before), "stage validate to run", pause=0.02)
    scene.kill("services.prediction")

    def answer() -> httpx.Response | None:
        try:
            return httpx.post(url, json={"dataframe_records": [example(MODEL)]}, timeout=PATIENCE)
        except httpx.HTTPError:
            return None

    back = poll_until(answer, "an answer after the kill")
    assert back.headers[names.REVISION_HEADER] == old
    delivered_once(scene, before, run_id)


def test_a_platform_whose_supervisor_is_killed_starts_again_with_the_same_answer(tmp_path: Path) -> None:
    state, variables = tmp_path / "state", platform_variables(tmp_path / "state")
    with running_platform(state, variables) as platform:
        client = PlatformClient(Access(platform.urls, platform.environment))
        client.promote(client.train("--variant", "linear"), "to have something live")
        poll_until(lambda: client.newest(f"{MODEL}-online") > 0, "the deployment to begin")
        platform.process.kill()
    with running_platform(state, variables) as platform:
        client = PlatformClient(Access(platform.urls, platform.environment))
        answered = poll_until(lambda: client.state()["live"], "the unfinished delivery to go live")
        assert client.ask().headers[names.REVISION_HEADER] == answered["revision"]
        leftover = [process.pid for process in Scene(platform, client, []).processes("services.rollout")]
        assert len(leftover) == 1
    assert processes_of(state) == []
