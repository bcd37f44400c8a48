"""The rollout with a real engine, HAProxy and registry: switches without a failed request, and faults that mend."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import docker
import httpx
import pytest
from docker.models.containers import Container

from services.contract import names
from services.contract.deployment import Action, StepOrder
from services.contract.release import Image, Release, ServingLimits
from services.contract.rollout_plan import Limits, RolloutPlan
from services.contract.rollout_step import StepKind
from services.prediction.invalid import Problem
from services.rollout.checks import identity
from services.rollout.containers.gateway import Gateway
from tests.support.container_engine import engine  # noqa: F401  a fixture
from tests.support.deploying import Deploying, told
from tests.support.poll import poll_until
from tests.support.release_factory import ReleasePlan, expected_predictions
from tests.support.rollout_containers import PREDICTION, RUNTIME_PORT, TAG, ContainerRollout, Neighbours, neighbours
from tests.support.rollout_service import MODEL, QUESTION, ask, running
from tests.support.steady_client import SteadyClient

# Twenty are made where a switch costs less, in test_rollout.py.
SWITCHES = 4


@pytest.fixture(scope="module")
def around(engine: docker.DockerClient) -> Iterator[Neighbours]:  # noqa: F811
    with neighbours(engine) as found:
        yield found


@pytest.fixture
def rollout(around: Neighbours, tmp_path: Path) -> Iterator[ContainerRollout]:
    service = ContainerRollout(around, tmp_path)
    try:
        with running(service):
            yield service
    finally:
        for container in service.everything():
            container.remove(force=True)


def recorded(rollout: ContainerRollout, count: int) -> list[Release]:
    return [rollout.recorded(ReleasePlan(number=number)) for number in range(1, count + 1)]


def answers(rollout: ContainerRollout, release: Release) -> bool:
    """Waits until the release answers; until then there may be errors."""

    def look() -> bool:
        return identity(rollout.url) == release.digest

    return poll_until(look, f"{release.digest[:8]} at {rollout.url}", pause=0.05)


def test_the_bases_are_in_the_registry_when_it_is_healthy_and_are_not_pushed_twice(rollout: ContainerRollout) -> None:
    answer = httpx.get(f"http://{rollout.neighbours.registry}/v2/{names.IMAGES}/{PREDICTION}/tags/list")
    assert answer.json()["tags"] == [TAG]
    rollout.stop()
    rollout.start()
    assert f"{PREDICTION}:{TAG} is in the registry already" in rollout.log().splitlines()[-1]


def test_a_deployed_release_answers_at_the_gateway_with_its_identity(rollout: ContainerRollout) -> None:
    (first,) = recorded(rollout, 1)
    deployment = rollout.deployed(first.digest)
    state = rollout.model()
    assert (state.live, state.previous, state.answering, state.url) == (deployment, None, True, rollout.url)
    assert ask(rollout.url) == (first.digest, list(expected_predictions(rollout.store, first)))
    paths = ("/health/ready", "/metadata", "/docs")
    assert [httpx.get(rollout.url + path, trust_env=False).status_code for path in paths] == [200] * 3
    page = httpx.get(rollout.url + "/docs", trust_env=False).text
    assert f"{rollout.url.replace('127.0.0.1', httpx.URL(rollout.url).host)}/invocations" in page
    servers = httpx.get(rollout.url + "/openapi.json", trust_env=False).json()["servers"]
    assert servers == [{"url": f"/models/{MODEL}"}]
    (container,) = rollout.everything()
    assert container.name.startswith(f"{rollout.project}-{MODEL}-")
    assert container.attrs["NetworkSettings"]["Ports"] == {}


def test_switches_fail_no_request(rollout: ContainerRollout) -> None:
    releases = recorded(rollout, SWITCHES + 1)
    rollout.deployed(releases[0].digest)
    with SteadyClient(rollout.url, QUESTION, kept=2, fresh=1) as client:
        client.heard(releases[0].digest)
        for release in releases[1:]:
            rollout.deployed(release.digest)
            client.heard(release.digest)
    assert client.failures == []
    assert set(client.answers) == {release.digest for release in releases}
    poll_until(lambda: len(rollout.everything()) == 2, "the live container and the one before alone")


def test_a_rollback_needs_no_new_container_and_fails_no_request(rollout: ContainerRollout) -> None:
    first, second = recorded(rollout, 2)
    rollout.deployed(first.digest)
    rollout.deployed(second.digest)
    before = {container.id for container in rollout.everything()}
    with SteadyClient(rollout.url, QUESTION) as client:
        client.heard(second.digest)
        answer = rollout.rollback()
        client.heard(first.digest)
    assert (answer.json()["action"], answer.json()["release"]) == (Action.ROLLBACK, first.digest)
    assert client.failures == []
    assert {container.id for container in rollout.everything()} == before
    assert rollout.rollback().json()["release"] == second.digest
    assert ask(rollout.url)[0] == second.digest


def rerecord(rollout: ContainerRollout, release: Release, image: Image) -> None:
    image.write(rollout.store / "images" / f"{release.digest}.json")


def rebuilt(rollout: ContainerRollout, release: Release, line: str) -> Image:
    """The release's image with one more layer, pushed as whoever may write to the registry could."""
    image = release.image
    assert image
    client, repository = rollout.neighbours.engine, f"{rollout.neighbours.registry}/{image.repository}"
    folder = rollout.store.parent / "rebuilt"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(f"FROM {repository}@{image.digest}\nUSER 0\n{line}\nUSER 10001:10001\n")
    client.images.build(path=str(folder), tag=f"{repository}:rebuilt", rm=True)
    client.images.push(repository, "rebuilt")
    digest = client.images.get_registry_data(f"{repository}:rebuilt").id
    client.images.remove(f"{repository}:rebuilt", force=True)
    return image.model_copy(update={"digest": digest})


def test_images_that_are_not_what_was_recorded_are_refused_before_they_run(rollout: ContainerRollout) -> None:
    first, second = recorded(rollout, 2)
    rollout.deployed(first.digest)
    assert first.image
    assert second.image
    of_another = first.image.model_copy(update={"release": second.digest})
    reasons = {
        "expected an image with the label": of_another,
        f"expected release {second.digest[:12]}… in the image": rebuilt(
            rollout, second, f"RUN echo >> {names.RELEASE_FOLDER}/model/MLmodel"
        ),
        "found a link or device": rebuilt(rollout, second, f"RUN ln -s /etc/passwd {names.RELEASE_FOLDER}/more"),
        f"{second.digest}.json: expected the image of": first.image,
        "expected the container engine to pull": second.image.model_copy(update={"digest": f"sha256:{'0' * 64}"}),
    }
    (live,) = rollout.everything()
    for reason, image in reasons.items():
        rerecord(rollout, second, image)
        answer = rollout.deploy(second.digest)
        assert (answer.status_code, reason in answer.json()["message"]) == (409, True), answer.text
    (rollout.store / "images" / f"{second.digest}.json").unlink()
    assert "found none: package it again" in rollout.deploy(second.digest).json()["message"]
    assert rollout.everything() == [live]
    assert ask(rollout.url)[0] == first.digest
    rerecord(rollout, second, second.image)
    assert rollout.deployed(second.digest).release == second.digest


@pytest.mark.parametrize("deed", [lambda one: one.kill("SIGKILL"), lambda one: one.restart(timeout=0)])
def test_a_container_that_was_killed_or_restarted_is_replaced(
    rollout: ContainerRollout, deed: Callable[[Container], None]
) -> None:
    (first,) = recorded(rollout, 1)
    rollout.deployed(first.digest)
    (container,) = rollout.everything()
    deed(container)
    poll_until(lambda: container.id not in {one.id for one in rollout.everything()}, "its end")
    assert answers(rollout, first)
    assert len(rollout.everything()) == 1


def test_a_container_that_dies_costs_no_request_where_a_replica_is_left(rollout: ContainerRollout) -> None:
    two = ServingLimits(replicas=2)
    first = rollout.recorded(ReleasePlan(number=1, limits=two))
    rollout.deployed(first.digest)
    for _ in range(2):
        poll_until(lambda: len(up(rollout)) == 2, "two replicas that answer")
        with SteadyClient(rollout.url, QUESTION, kept=2, fresh=1) as client:
            client.heard(first.digest)
            victim = rollout.everything()[0]
            victim.kill("SIGKILL")
            client.heard(first.digest, more=200)
        assert client.failures == []
        poll_until(partial(gone, rollout, victim), "its end")
    second = rollout.recorded(ReleasePlan(number=2, limits=two))
    with SteadyClient(rollout.url, QUESTION) as client:
        rollout.deployed(second.digest)
        client.heard(second.digest)
        poll_until(lambda: len(up(rollout)) == 2, "two replicas of the second")
        rollout.rollback()
        client.heard(first.digest)
    assert client.failures == []


def gone(rollout: ContainerRollout, container: Container) -> bool:
    return container.id not in {one.id for one in rollout.everything()}


def up(rollout: ContainerRollout) -> list[str]:
    gateway = Gateway(str(rollout.neighbours.settings("", Path())["GATEWAY_RUNTIME"]))
    return [name for slot in gateway.slots() for name, server in gateway.servers(slot).items() if server.up]


def test_a_gateway_that_was_not_told_yet_knows_of_no_model_that_it_is_not_there(rollout: ContainerRollout) -> None:
    (first,) = recorded(rollout, 1)
    rollout.deployed(first.digest)
    rollout.kill()
    rollout.neighbours.gateway.restart(timeout=0)
    poll_until(rollout.neighbours.gateway_answers, "the gateway's health", pause=0.02)
    for path in (f"/models/{MODEL}/metadata", "/models/never-trained/metadata"):
        answer = httpx.get(rollout.neighbours.url + path, trust_env=False)
        assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1")
        assert "only just been started" in Problem.from_json(answer.content).error
    assert httpx.get(f"{rollout.neighbours.url}/models", trust_env=False).status_code == 404
    rollout.start()
    assert answers(rollout, first)
    unknown = f"{rollout.neighbours.url}/models/never-trained/metadata"
    poll_until(lambda: httpx.get(unknown, trust_env=False).status_code == 404, "the end of the doubt")


def test_a_model_without_a_release_is_unknown_at_the_gateway(around: Neighbours) -> None:
    for path in ("/models/language-id/metadata", "/models", "/invocations", "/"):
        answer = httpx.get(around.url + path, trust_env=False)
        assert (answer.status_code, "expected /models/<name>" in Problem.from_json(answer.content).error) == (404, True)


def test_a_gateway_that_lost_its_memory_is_told_again_and_no_container_is_started(rollout: ContainerRollout) -> None:
    first, second = recorded(rollout, 2)
    rollout.deployed(first.digest)
    rollout.deployed(second.digest)
    before = {container.id for container in rollout.everything()}
    rollout.neighbours.gateway.kill("SIGKILL")
    poll_until(lambda: not rollout.model().answering, "the loss to be seen", pause=0.02)
    rollout.neighbours.gateway.start()
    poll_until(rollout.neighbours.gateway_answers, "the gateway's health", pause=0.02)
    assert answers(rollout, second)
    assert {container.id for container in rollout.everything()} == before
    rollout.rollback()
    assert ask(rollout.url)[0] == first.digest


def test_a_killed_rollout_service_is_not_noticed_and_the_next_one_adopts_its_containers_only(
    rollout: ContainerRollout, around: Neighbours
) -> None:
    first, second, third = recorded(rollout, 3)
    rollout.deployed(first.digest)
    rollout.deployed(second.digest)
    before = {container.id for container in rollout.everything()}
    with SteadyClient(rollout.url, QUESTION) as client:
        client.heard(second.digest)
        rollout.kill()
        image = around.engine.images.get(around.base)
        labels = {names.MODEL_LABEL: MODEL, names.RELEASE_LABEL: third.digest}
        nobodys, strangers = (
            around.engine.containers.run(
                image, ["60"], entrypoint=["sleep"], detach=True, labels={**labels, "trackback.project": project},
                network=around.releases.name,
            )
            for project in (rollout.project, around.project)
        )  # fmt: skip
        try:
            rollout.start()
            client.heard(second.digest)
            poll_until(lambda: {one.id for one in rollout.everything()} == before, "ours alone")
            strangers.reload()
            assert strangers.status == "running"
        finally:
            strangers.remove(force=True)
        rollout.rollback()
        client.heard(first.digest)
        rollout.deployed(third.digest)
        client.heard(third.digest)
    assert nobodys.id not in before
    assert client.failures == []


def test_when_every_container_is_gone_the_live_release_is_started_again(rollout: ContainerRollout) -> None:
    first, second = recorded(rollout, 2)
    rollout.deployed(first.digest)
    rollout.deployed(second.digest)
    for container in rollout.everything():
        container.remove(force=True)
    assert answers(rollout, second)
    rollout.rollback()
    assert ask(rollout.url)[0] == first.digest


def test_after_a_stop_no_container_is_left_and_the_next_service_answers_with_what_was_live(
    rollout: ContainerRollout,
) -> None:
    (first,) = recorded(rollout, 1)
    rollout.deployed(first.digest)
    assert rollout.stop() == 0
    assert rollout.everything() == []
    answer = httpx.get(f"{rollout.url}/health/ready", trust_env=False)
    assert answer.status_code == 503
    assert Problem.from_json(answer.content).error == "no container answers for this model now: try again in a second"
    rollout.start()
    assert answers(rollout, first)


def test_a_rollout_service_killed_during_a_deploy_leaves_one_release_answering(rollout: ContainerRollout) -> None:
    first, second = recorded(rollout, 2)
    rollout.deployed(first.digest)
    with SteadyClient(rollout.url, QUESTION) as client:
        client.heard(first.digest)
        deploy = Thread(target=lambda: pytest.raises(httpx.TransportError, rollout.deploy, second.digest))
        deploy.start()
        poll_until(lambda: rollout.containers(second.digest), "the candidate", pause=0.02)
        rollout.kill()
        deploy.join()
        rollout.start()
        assert rollout.model().live
        client.heard(first.digest)
        assert rollout.deployed(second.digest).release == second.digest
        client.heard(second.digest)
    assert client.failures == []
    poll_until(lambda: len(rollout.everything()) == 2, "the live container and the one before alone")


FEWEST = 30
# Only what ends goes back: a busy machine may make either of both slow.
LENIENT = Limits(errors=1.0, slow=1.0, stability=1e9, megabytes=1e6)
# A canary is over when a person says so.
CANARY = RolloutPlan(canary=(0.5,), step=600.0, bake=0, min_requests=FEWEST, limits=LENIENT)
THEN_BAKE = CANARY.model_copy(update={"bake": 600.0})
# Ends one of the processes that answer; their parent goes on.
END_WORKER = """
import os, pathlib, signal
for status in pathlib.Path("/proc").glob("[0-9]*/status"):
    found = dict(line.split(":\\t") for line in status.read_text().splitlines() if ":\\t" in line)
    parent = pathlib.Path("/proc", found["PPid"], "cmdline")
    if found["PPid"] not in "01" and b"services.prediction" in parent.read_bytes():
        os.kill(int(found["Pid"]), signal.SIGKILL)
        break
"""


def share_of(client: SteadyClient, answerer: str) -> float:
    before = client.answers.copy()
    client.heard(answerer, 4 * FEWEST)
    shared = client.answers - before
    return shared[answerer] / shared.total()


def answers_all(rollout: ContainerRollout, client: SteadyClient, release: Release, replicas: int) -> None:
    """And nothing but it runs, nor anything of it that was told to hand on."""
    poll_until(lambda: len(rollout.everything()) == len(rollout.containers(release.digest)) == replicas, "the rest")
    before = client.answers.copy()
    client.heard(release.digest, FEWEST)
    assert set(client.answers - before) == {release.digest}


def test_a_release_in_a_container_hands_a_share_to_a_candidate_and_is_taken_back_to(rollout: ContainerRollout) -> None:
    """Each of the two replicas hands on, and one that takes the place of another."""
    plans = ((CANARY, 2, 1), (CANARY, 1, 1), (THEN_BAKE, 1, 2))
    first, second, third = (
        rollout.recorded(
            ReleasePlan(
                number=number,
                limits=ServingLimits(replicas=replicas, workers=workers),
                rollout=plan,
            )
        )
        for number, (plan, replicas, workers) in enumerate(plans, 1)
    )
    rollout.deployed(first.digest)
    poll_until(lambda: len(up(rollout)) == 2, "two replicas that answer")
    with SteadyClient(rollout.url, QUESTION, kept=1, fresh=1) as client:
        deploying = Deploying(rollout, second.digest)
        deploying.reaches(StepKind.CANARY)
        assert share_of(client, second.digest) == pytest.approx(0.5, abs=0.05)
        victim = rollout.containers(first.digest)[0]
        victim.kill("SIGKILL")
        poll_until(partial(gone, rollout, victim), "its end")
        poll_until(lambda: len(up(rollout)) == 2, "another in its place")
        assert share_of(client, second.digest) == pytest.approx(0.5, abs=0.05)
        deploying.order(StepOrder.ABORT)
        assert "was taken back: aborted by ada" in deploying.ended().text
        answers_all(rollout, client, first, replicas=2)
        the_next_service_ends_the_step_of_one_that_was_killed(rollout, client, first, second)
        deploying = Deploying(rollout, third.digest)
        deploying.reaches(StepKind.CANARY)
        client.heard(third.digest, FEWEST)
        deploying.order(StepOrder.PROMOTE_NOW)
        assert deploying.ended().status_code == 200
        client.heard(third.digest, FEWEST)
    assert client.failures == []
    assert set(client.answers) == {release.digest for release in (first, second, third)}
    a_bake_whose_container_errs_goes_back(rollout, first, third)


def the_next_service_ends_the_step_of_one_that_was_killed(
    rollout: ContainerRollout, client: SteadyClient, live: Release, other: Release
) -> None:
    deploy = Thread(target=lambda: pytest.raises(httpx.TransportError, rollout.deploy, other.digest))
    deploy.start()
    client.heard(other.digest, FEWEST)
    rollout.kill()
    deploy.join()
    client.heard(other.digest, FEWEST)
    rollout.start()
    answers_all(rollout, client, live, replicas=2)


def a_bake_whose_container_errs_goes_back(rollout: ContainerRollout, live: Release, other: Release) -> None:
    (container,) = rollout.containers(other.digest)
    assert container.exec_run(["python", "-c", END_WORKER]).exit_code == 0

    def went_back() -> str:
        return next((message for event, message in told(rollout, live.digest) if event == "live" and message), "")

    poll_until(went_back, "the line of the ledger")
    assert "restarts: expected a candidate that stays, found 1 worker processes that ended or hung" in went_back()
    assert ask(rollout.url)[0] == live.digest
    assert ("step", "bake was not good") in told(rollout, other.digest)


PROBE = f"""
import pathlib, socket, sys
status = dict(line.split(":\\t") for line in pathlib.Path("/proc/1/status").read_text().splitlines() if ":\\t" in line)
print(status["Uid"].split()[0], status["Gid"].split()[0], int(status["CapEff"], 16), int(status["CapBnd"], 16))
print(status["NoNewPrivs"], status["Seccomp"])
for path in ("/release/more", "/more", "/opt/trackback/more"):
    try:
        print(pathlib.Path(path).write_text("more"))
    except OSError as error:
        print(type(error).__name__, end=" ")
for place in sys.argv[1:]:
    try:
        print(socket.create_connection((place, {RUNTIME_PORT}), timeout=3))
    except OSError as error:
        print(type(error).__name__, end=" ")
"""


def test_a_container_is_confined_and_does_not_reach_what_steers_the_gateway(rollout: ContainerRollout) -> None:
    (first,) = recorded(rollout, 1)
    rollout.deployed(first.digest)
    (container,) = rollout.containers()
    host = container.attrs["HostConfig"]
    limits = [host[name] for name in ("Memory", "MemorySwap", "PidsLimit", "ReadonlyRootfs", "Init")]
    assert limits == [512 << 20, 512 << 20, 128, True, True]
    assert list(container.attrs["NetworkSettings"]["Networks"]) == [rollout.neighbours.releases.name]
    addresses = [rollout.neighbours.gateway_address(rollout.neighbours.releases), "gateway-runtime"]
    # The engine knows its own names at once; who asks it for others waits for a server that is out of reach.
    impatient = {"RES_OPTIONS": "timeout:1 attempts:1"}
    code, said = container.exec_run(["python", "-c", PROBE, *addresses], environment=impatient)
    lines = said.decode().split()
    assert (code, lines[:6]) == (0, ["10001", "10001", "0", "0", "1", "2"])
    assert lines[6:] == ["OSError", "OSError", "OSError", "ConnectionRefusedError", "gaierror"]
