"""The rollout with real processes: switches without a failed request, and faults that clients do not see."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.switch_timeline import Timeline
from services.contract.control_protocol import Workers
from services.contract.deployment import StepOrder
from services.contract.release import PredictionLog, Release, Servable, ServingLimits
from tests.support.poll import PATIENCE, poll_until
from tests.support.release_factory import ROWS, ReleasePlan, build_release, expected_predictions
from tests.support.rollout_service import MODEL, QUESTION, RolloutService, ask, running
from tests.support.steady_client import SteadyClient
from tests.support.switcher import STEPS, Releases, Switcher


@pytest.fixture
def rollout(tmp_path: Path) -> Iterator[RolloutService]:
    with running(RolloutService(tmp_path)) as service:
        yield service


def releases(rollout: RolloutService, count: int, workers: int = 1) -> list[Release]:
    limits = ServingLimits(replicas=1, workers=workers)
    return [
        build_release(rollout.store, ReleasePlan(number=number, price_per_carat=4000.0 + number, limits=limits))
        for number in range(1, count + 1)
    ]


def logged(rollout: RolloutService, request: str) -> list[dict[str, Any]]:
    answer = rollout.http.post("/models/diamond-price/predictions", json={"request_id": request})
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_deployed_release_answers_with_its_identity_and_is_seen_from_outside(rollout: RolloutService) -> None:
    first = build_release(rollout.store, ReleasePlan(limits=ServingLimits(prediction_log=PredictionLog(share=1.0))))
    deployment = rollout.deployed(first.digest)
    state = rollout.model()
    assert (state.live, state.previous, state.answering, state.url) == (deployment, None, True, rollout.url)
    assert ask(rollout.url) == (first.digest, list(expected_predictions(rollout.store, first)))
    assert rollout.deployed(first.digest) == deployment
    headers = {"Content-Type": "application/json", "X-Request-Id": "r-1"}
    answer = httpx.post(f"{rollout.url}/invocations", content=QUESTION, headers=headers, timeout=60, trust_env=False)
    (found,) = poll_until(lambda: logged(rollout, "r-1"), "the request in the prediction log")
    assert (answer.headers["X-Request-Id"], found["release"]) == ("r-1", first.digest)
    assert (found["predictions"], found["inputs"]) == (answer.json()["predictions"], [list(row) for row in ROWS])
    metrics = rollout.http.get("/metrics/serving").text
    labels = r'model="diamond-price",release="[0-9a-f]{12}",replica="[0-9a-f]{8}",role="live",status="200"'
    assert re.search(rf"trackback_requests_total{{{labels}}} 2\.0", metrics), metrics
    assert f'release="{first.digest}"' in metrics


def test_twenty_switches_fail_no_request_and_bring_no_stale_answer(tmp_path: Path) -> None:
    # Longer than clients that are mostly idle wait.
    with running(RolloutService(tmp_path, {"DRAIN_SECONDS": 20})) as rollout:
        first = switched(rollout)
        retired_and_back(rollout, first)


def switched(rollout: RolloutService) -> str:
    """The release that is live at the end, which was live at the begin."""
    releases, timeline = Releases(rollout.store), Timeline()
    first = timeline.live = rollout.deployed(releases.next(True, ReleasePlan.rollout).digest).release
    with SteadyClient(rollout.url, QUESTION, idle=8, timeline=timeline) as client:
        switcher = Switcher(rollout, client, timeline)
        switcher.deploy(releases.next(False, ReleasePlan.rollout).digest)
        for order in (StepOrder.PROMOTE_NOW, StepOrder.ABORT):
            switcher.deploy_by_steps(releases.next(True, STEPS).digest, order)
            client.heard(timeline.live)
            loaded = {process.pid for process in rollout.serving(timeline.live)}
            for _ in range(8):
                switcher.roll_back()
                client.heard(timeline.live, more=10)
            assert {process.pid for process in rollout.serving(timeline.live)} == loaded, "a message, not a load"
        switcher.roll_back(to=first)
        client.heard(first)
    assert (client.failures, timeline.stale, switcher.refused) == ([], [], [])
    assert switcher.counts.total() == 20
    return first


def retired_and_back(rollout: RolloutService, live: str) -> None:
    assert ask(rollout.url)[0] == live
    assert rollout.http.post(f"/models/{MODEL}/retire", json={"by": "ada", "reason": "a test"}).status_code == 200
    poll_until(lambda: rollout.serving() == [], "the end of what answered", pause=0.02)
    with pytest.raises(httpx.ConnectError):
        ask(rollout.url)
    assert rollout.rollback().json()["release"] == live
    assert ask(rollout.url)[0] == live
    assert rollout.http.get(f"/models/{MODEL}/audit").json()["fault"] is None


def flip_a_byte(rollout: RolloutService, release: Release) -> None:
    path = rollout.store / "releases" / release.digest / "model" / "model.skops"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_bad_candidates_are_refused_and_the_live_one_goes_on(rollout: RolloutService) -> None:
    (first,) = releases(rollout, 1)
    rollout.deployed(first.digest)
    wrong = build_release(rollout.store, ReleasePlan(number=2, golden_shift=1.0))
    flipped = build_release(rollout.store, ReleasePlan(number=3))
    flip_a_byte(rollout, flipped)
    broken = build_release(
        rollout.store,
        ReleasePlan(number=4, spoil=lambda folder: (folder / "model/model.skops").write_bytes(b"no model")),
    )
    batch = ReleasePlan(number=5, servable=Servable(form=None, notes=("onnx: a machine it does not know",)))
    offline = build_release(rollout.store, batch)
    with SteadyClient(rollout.url, QUESTION) as client:
        reasons = {
            "for batch only: onnx: a machine it": offline,
            "golden row 0": wrong,
            "its files were changed": flipped,
            "expected a skops file": broken,
        }
        for reason, release in reasons.items():
            answer = rollout.deploy(release.digest)
            assert (answer.status_code, reason in answer.json()["message"]) == (409, True), answer.text
    assert client.failures == []
    assert set(client.answers) == {first.digest}
    assert len(rollout.serving()) == 1
    assert len({path.name.partition(".")[0] for path in (rollout.state / "_run").iterdir()}) == 1


def test_a_killed_serving_process_is_back_and_clients_wait_for_it(rollout: RolloutService) -> None:
    (first,) = releases(rollout, 1)
    rollout.deployed(first.digest)
    (process,) = rollout.serving()
    process.kill()
    assert ask(rollout.url)[0] == first.digest
    assert rollout.model().answering


def test_a_killed_rollout_service_is_not_noticed_and_the_next_one_takes_over(rollout: RolloutService) -> None:
    first, second, third = releases(rollout, 3)
    rollout.deployed(first.digest)
    rollout.deployed(second.digest)
    before = {process.pid for process in rollout.serving()}
    with SteadyClient(rollout.url, QUESTION) as client:
        client.heard(second.digest)
        rollout.kill()
        client.heard(second.digest)
        rollout.start()
        client.heard(second.digest)
        assert {process.pid for process in rollout.serving()} == before
        rollout.rollback()
        client.heard(first.digest)
        assert {process.pid for process in rollout.serving()} == before
        rollout.deployed(third.digest)
        client.heard(third.digest)
    assert client.failures == []
    assert rollout.stop() == 0
    assert rollout.serving() == []


def test_after_a_stop_the_next_service_answers_at_the_same_url_with_what_was_live(rollout: RolloutService) -> None:
    (first,) = releases(rollout, 1)
    rollout.deployed(first.digest)
    assert rollout.stop() == 0
    assert rollout.serving() == []
    rollout.start()
    poll_until(lambda: rollout.model().answering, "an answer again", pause=0.02)
    assert ask(rollout.url)[0] == first.digest


def test_a_stop_during_a_deploy_refuses_it_and_leaves_no_process(rollout: RolloutService) -> None:
    (first,) = releases(rollout, 1)
    answers: list[httpx.Response] = []
    deploy = Thread(target=lambda: answers.append(rollout.deploy(first.digest)))
    deploy.start()
    poll_until(rollout.serving, "the candidate", pause=0.02)
    assert rollout.stop() == 0
    deploy.join()
    assert (answers[0].status_code, rollout.serving()) == (409, [])
    assert "Traceback" not in rollout.log()


def test_a_second_service_on_the_same_state_is_refused_in_one_line(rollout: RolloutService) -> None:
    second = rollout.spawn()
    assert second.wait(PATIENCE) == 1
    assert f"found the one of process {rollout.pid} since " in rollout.log().splitlines()[-1]


def test_a_process_killed_while_a_candidate_loads_is_back_before_the_candidate(rollout: RolloutService) -> None:
    first, second = releases(rollout, 2)
    rollout.deployed(first.digest)
    (live,) = rollout.serving()
    deploy = Thread(target=deploy_or_lose, args=(rollout, second))
    deploy.start()
    (candidate,) = poll_until(lambda: rollout.serving(second.digest), "the candidate", pause=0.02)
    candidate.suspend()
    live.kill()
    assert ask(rollout.url)[0] == first.digest
    assert deploy.is_alive()
    candidate.resume()
    deploy.join()
    assert ask(rollout.url)[0] == second.digest


def test_a_serving_process_is_scrubbed_limited_and_in_the_services_group(rollout: RolloutService) -> None:
    (first,) = releases(rollout, 1)
    rollout.deployed(first.digest)
    (process,) = rollout.serving()
    # What it shows of itself, and where.
    others = [name for name in process.environ() if not name.startswith("TRACKBACK_SERVING_")]
    assert sorted(others) == ["LANG", "OMP_NUM_THREADS", "PYTHONPATH"]
    assert process.rlimit(psutil.RLIMIT_AS) == (4 << 30, 4 << 30)
    assert os.getpgid(process.pid) == os.getpgid(rollout.pid)


def whole(workers: Workers | None) -> Workers | None:
    return workers if workers and workers.ready == workers.wanted else None


def test_two_workers_switch_together_without_a_failed_request_and_are_replaced_alone(rollout: RolloutService) -> None:
    first, second, third = (one.digest for one in releases(rollout, 3, workers=2))
    rollout.deployed(first)
    with SteadyClient(rollout.url, QUESTION) as client:
        client.heard(first)
        for permitted, switch in ((second, rollout.deployed), (third, rollout.deployed)):
            switch(permitted)
            client.heard(permitted)
        for permitted in (second, third, second):
            assert rollout.rollback().status_code == 200
            assert {ask(rollout.url)[0] for _ in range(20)} == {permitted}, "no worker of the one before accepts"
            client.heard(permitted)
        (parent,) = rollout.serving(second)
        workers = {process.pid for process in rollout.workers(second)}
        rollout.kill()
        client.heard(second)
    assert (client.failures, set(client.answers)) == ([], {first, second, third})
    hung, killed = rollout.workers(second)
    hung.suspend()
    killed.kill()
    for _ in range(10):
        assert ask(rollout.url)[0] == second
    poll_until(
        lambda: len({one.pid for one in rollout.workers(second)} - workers) == 2,
        "both to be replaced without a rollout service",
        pause=0.02,
    )
    rollout.start()
    poll_until(lambda: whole(rollout.model().workers), "both to answer", pause=0.02)
    found = rollout.model().workers
    assert found
    assert (found.wanted, found.ended, found.next_try) == (2, 2, None)
    assert "worker" in found.reason
    assert rollout.serving(second) == [parent]
    assert ask(rollout.url)[0] == second
    assert rollout.rollback().json()["release"] == third


def deploy_or_lose(rollout: RolloutService, release: Release) -> None:
    with suppress(httpx.TransportError):
        rollout.deploy(release.digest)


@pytest.mark.parametrize("after", [0.3, 1.0, 1.4])
def test_a_rollout_service_killed_during_a_deploy_leaves_exactly_one_release_answering(
    rollout: RolloutService, after: float
) -> None:
    first, second = releases(rollout, 2)
    rollout.deployed(first.digest)
    with SteadyClient(rollout.url, QUESTION) as client:
        client.heard(first.digest)
        deploy = Thread(target=deploy_or_lose, args=(rollout, second))
        deploy.start()
        # Not a wait: the moment at which the kill comes is what varies.
        time.sleep(after)
        rollout.kill()
        deploy.join()
        rollout.start()
        live = rollout.model().live
        assert live
        poll_until(lambda: {ask(rollout.url)[0] for _ in range(20)} == {live.release}, "one release", pause=0.02)
        assert rollout.deployed(second.digest).release == second.digest
        client.heard(second.digest)
    assert client.failures == []
    poll_until(lambda: len(rollout.serving()) == 2, "the live process and the one before alone", pause=0.02)
    rollout.stop()
    assert rollout.serving() == []
