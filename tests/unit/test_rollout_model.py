"""Deploy, rollback, restart and recovery, with processes that are played."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from services.contract.deployment import Action, DeployRequest, RollbackRequest
from services.contract.errors import Refused
from services.rollout.app import create_app
from services.rollout.listeners import Listeners
from services.rollout.model import ModelRollout
from services.rollout.rollout import Rollout
from services.rollout.serving import Serving
from services.rollout.state import Event, ModelFiles
from services.rollout.store import Store, StoredRelease
from services.rollout.traffic import Means
from tests.release_factory import ReleasePlan, build_release, train
from tests.rollout_service import free_port

MODEL = "diamond-price"


@dataclass(eq=False)
class PlayedServing:
    """A process that does as it is told, except what it `refuses`."""

    model: str
    release: str
    refuses: frozenset[str] = frozenset()
    running: bool = True
    accepts_on: socket.socket | None = None

    def alive(self) -> bool:
        return self.running

    def wait_ready(self) -> None:
        self._do("wait_ready")

    def check(self, release: StoredRelease) -> None:
        assert release.digest == self.release
        self._do("check")

    def go(self, listener: socket.socket) -> None:
        self._do("go")
        self.accepts_on = listener

    def drain(self) -> None:
        self._do("drain")
        self.accepts_on = None

    def listener(self) -> socket.socket | None:
        self._do("listener")
        return self.accepts_on

    def retire(self, grace: float) -> None:
        assert grace > 0
        self.kill()

    def kill(self) -> None:
        self.running, self.accepts_on = False, None

    def _do(self, verb: str) -> None:
        if not self.running or verb in self.refuses:
            raise Refused(f"it does not {verb}")


@dataclass
class PlayedLauncher:
    """Remembers every process; the next ones refuse what `refuses` says."""

    refuses: frozenset[str] = frozenset()
    all: list[PlayedServing] = field(default_factory=list)
    left: list[PlayedServing] = field(default_factory=list)

    def start(self, release: StoredRelease) -> Serving:
        self.all.append(PlayedServing(release.manifest.model, release.digest, self.refuses))
        return self.all[-1]

    def adopt(self) -> list[Serving]:
        return list(self.left)

    def close(self) -> None:
        for serving in self.all:
            serving.kill()

    def accepting(self) -> list[str]:
        return [serving.release for serving in self.all + self.left if serving.accepts_on]

    def loaded(self) -> list[str]:
        return [serving.release for serving in self.all + self.left if serving.running]


@dataclass
class Stage:
    """One model on a machine that is played; `machine()` is what a restarted service would find."""

    state: Path
    store: Path
    port: int
    launcher: PlayedLauncher = field(default_factory=PlayedLauncher)
    unreachable: bool = False

    def means(self) -> Means:
        listeners = Listeners("127.0.0.1", self.port, self.state)
        return Means(self.state, Store(self.store), self.launcher, listeners, self._confirm, drain_seconds=1.0)

    def _confirm(self, url: str, release: str) -> None:
        if self.unreachable or self.launcher.accepting() != [release]:
            raise Refused(f"{url} does not answer as {release[:8]}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def digests(store: Path) -> list[str]:
    estimator = train(4000.0)
    return [build_release(store, ReleasePlan(number=number, estimator=estimator)).digest for number in (1, 2, 3)]


@pytest.fixture
def stage(tmp_path: Path, store: Path) -> Stage:
    return Stage(tmp_path, store, free_port())


@pytest.fixture
def model(stage: Stage) -> Iterator[ModelRollout]:
    model = ModelRollout(MODEL, stage.means())
    yield model
    model.traffic.close()


def ask_for(digest: str) -> DeployRequest:
    return DeployRequest(release=digest, by="ada", reason="why not")


BACK = RollbackRequest(by="grace", reason="complaints")


def test_a_deploy_is_live_on_the_first_free_port_and_told_in_the_journal(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", stage.port)):
        deployment = model.deploy(ask_for(digests[0]))
    assert (deployment.revision, deployment.action, deployment.by) == ("1-aaaaaaaa", Action.DEPLOY, "ada")
    state = model.state()
    assert (state.live, state.previous, state.answering) == (deployment, None, True)
    assert int(str(state.url).rpartition(":")[2]) > stage.port
    assert stage.launcher.accepting() == [digests[0]]
    assert [entry.event for entry in ModelFiles(stage.state, MODEL).entries()] == [Event.STARTED, Event.LIVE]


def test_after_a_deploy_the_one_before_stays_loaded_and_the_third_is_ended(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests:
        model.deploy(ask_for(digest))
    assert stage.launcher.accepting() == [digests[2]]
    assert stage.launcher.loaded() == digests[1:]


def test_the_same_delivery_again_changes_nothing(stage: Stage, model: ModelRollout, digests: list[str]) -> None:
    first = model.deploy(ask_for(digests[0]))
    assert model.deploy(ask_for(digests[0])) == first
    assert len(stage.launcher.all) == 1


def test_an_older_delivery_is_refused_before_anything_is_started(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[1]))
    with pytest.raises(Refused, match="after number 2, found number 1"):
        model.deploy(ask_for(digests[0]))
    assert len(stage.launcher.all) == 1


@pytest.mark.parametrize("verb", ["wait_ready", "check", "go"])
def test_a_candidate_that_fails_is_ended_and_the_live_one_goes_on(
    verb: str, stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    before = model.deploy(ask_for(digests[0]))
    stage.launcher.refuses = frozenset({verb})
    with pytest.raises(Refused, match=f"it does not {verb}"):
        model.deploy(ask_for(digests[1]))
    assert model.state().live == before
    assert stage.launcher.accepting() == stage.launcher.loaded() == [digests[0]]


def test_a_candidate_that_the_public_does_not_reach_gives_the_traffic_back(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.unreachable = True
    with pytest.raises(Refused, match="the one before goes on"):
        model.deploy(ask_for(digests[1]))
    assert stage.launcher.accepting() == stage.launcher.loaded() == [digests[0]]


def test_a_live_process_that_does_not_leave_is_ended_and_no_obstacle(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    stage.launcher.refuses = frozenset({"drain"})
    model.deploy(ask_for(digests[0]))
    model.deploy(ask_for(digests[1]))
    assert stage.launcher.accepting() == stage.launcher.loaded() == [digests[1]]


def test_a_first_candidate_that_fails_leaves_nothing_listening(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    stage.launcher.refuses = frozenset({"go"})
    with pytest.raises(Refused):
        model.deploy(ask_for(digests[0]))
    state = model.state()
    assert (state.live, state.url, state.answering) == (None, None, False)
    socket.create_server(("127.0.0.1", stage.port)).close()


def test_a_rollback_lets_the_loaded_process_answer_and_can_be_undone(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    first, second = (model.deploy(ask_for(digest)) for digest in digests[:2])
    back = model.rollback(BACK)
    assert (back.release, back.action, back.by, back.reason) == (first.release, Action.ROLLBACK, "grace", "complaints")
    assert model.state().previous == second
    assert stage.launcher.accepting() == [digests[0]]
    assert model.rollback(BACK).release == second.release
    assert len(stage.launcher.all) == 2


def test_a_rollback_starts_the_release_again_when_its_process_is_gone(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    stage.launcher.all[0].kill()
    model.rollback(BACK)
    assert stage.launcher.accepting() == [digests[0]]
    assert len(stage.launcher.all) == 3


def test_a_rollback_without_a_release_before_is_refused(model: ModelRollout, digests: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(Refused, match="found none to return to"):
            model.rollback(BACK)
        model.deploy(ask_for(digests[0]))


def test_a_live_process_that_dies_is_started_again(stage: Stage, model: ModelRollout, digests: list[str]) -> None:
    model.deploy(ask_for(digests[0]))
    stage.launcher.all[0].kill()
    assert not model.state().answering
    model.traffic.keep_answering()
    assert model.state().answering
    assert stage.launcher.accepting() == [digests[0]]


def test_a_release_that_cannot_be_started_again_is_not_tried_without_a_pause(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.launcher.all[0].kill()
    stage.launcher.refuses = frozenset({"wait_ready"})
    for _ in range(3):
        model.traffic.keep_answering()
    assert len(stage.launcher.all) == 2


def restarted(stage: Stage, left: list[PlayedServing]) -> ModelRollout:
    """What the next service makes of the processes that the last one left."""
    stage.launcher = PlayedLauncher(left=left)
    model = ModelRollout(MODEL, stage.means())
    model.traffic.recover(left)
    return model


def test_the_next_service_adopts_what_answers_and_keeps_the_port(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    after = restarted(stage, stage.launcher.all)
    assert after.state() == model.state()
    assert stage.launcher.all == []
    after.rollback(BACK)
    assert stage.launcher.accepting() == [digests[0]]


def test_a_switch_that_was_cut_before_the_pointer_moved_is_rolled_back(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (old,) = stage.launcher.all
    candidate = PlayedServing(MODEL, digests[1], accepts_on=old.accepts_on)
    old.drain()
    after = restarted(stage, [candidate, old])
    assert stage.launcher.accepting() == stage.launcher.loaded() == [digests[0]]
    assert after.state().answering


def test_a_switch_that_was_cut_after_the_pointer_moved_is_rolled_forward(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    model.deploy(ask_for(digests[1]))
    journal = stage.state / MODEL / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    stage.launcher.all[0].accepts_on = stage.launcher.all[1].accepts_on
    after = restarted(stage, stage.launcher.all)
    assert stage.launcher.accepting() == [digests[1]]
    assert [deployment.release for deployment in after.deployments()] == digests[:2]


def test_a_candidate_of_a_model_without_any_release_is_ended(stage: Stage, digests: list[str]) -> None:
    left = PlayedServing(MODEL, digests[0])
    after = restarted(stage, [left])
    assert (left.running, after.state().live) == (False, None)


def test_when_nothing_is_left_running_the_recorded_release_is_started_on_its_port(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    before = model.state()
    model.traffic.close()
    after = restarted(stage, [])
    after.traffic.keep_answering()
    assert after.state() == before
    assert stage.launcher.accepting() == [digests[0]]
    after.traffic.close()


def test_releases_of_another_model_and_unknown_ones_are_refused(model: ModelRollout, store: Path) -> None:
    other = build_release(store, ReleasePlan(model="language-id"))
    with pytest.raises(Refused, match="expected a release of diamond-price, found one of language-id"):
        model.deploy(ask_for(other.digest))
    with pytest.raises(Refused, match="found none: package it first"):
        model.deploy(ask_for("0" * 64))


def test_the_api_answers_in_records_and_refuses_in_one_line(stage: Stage, digests: list[str]) -> None:
    rollout = Rollout(stage.means())
    transport = httpx.ASGITransport(app=create_app(rollout))

    async def story() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://rollout") as client:
            return [
                await client.get("/health"),
                await client.get("/models/diamond-price"),
                await client.post("/models/diamond-price/rollback", json={"by": "ada", "reason": "x"}),
                await client.post("/models/diamond-price/deploy", json={"release": "nonsense", "by": "ada"}),
                await client.get("/models/Not%20A%20Name"),
                await client.post("/models/diamond-price/deploy", json={"release": digests[0], "by": "ada"}),
                await client.get("/models"),
                await client.get("/models/diamond-price/deployments"),
            ]

    answers = asyncio.run(story())
    rollout.close()
    assert [answer.status_code for answer in answers] == [200, 200, 409, 422, 422, 200, 200, 200]
    assert answers[1].json()["live"] is None
    assert [answers[place].json()["message"].count("\n") for place in (2, 3, 4)] == [0, 0, 0]
    assert [state["live"] for state in answers[6].json()] == answers[7].json() == [answers[5].json()]
