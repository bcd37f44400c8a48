"""Deploy and rollback of one model, with fake processes."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from services.contract.deployment import Action
from services.contract.errors import Refused
from services.contract.http_guard import Access
from services.rollout.app import create_app
from services.rollout.model import ModelRollout
from services.rollout.rollout import Rollout
from services.rollout.state import JournalEvent, ModelFiles
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_fakes import BACK, MODEL, FakeMachine, FullDisk, ask_for


def test_a_deploy_is_live_on_the_first_free_port_and_told_in_the_journal(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", machine.port)):
        deployment = model.deploy(ask_for(digests[0]))
    assert (deployment.revision, deployment.action, deployment.by) == ("1-aaaaaaaa", Action.DEPLOY, "ada")
    state = model.state()
    assert (state.live, state.previous, state.answering) == (deployment, None, True)
    assert int(str(state.url).rpartition(":")[2]) > machine.port
    assert machine.backend.accepting() == [digests[0]]
    assert [entry.event for entry in ModelFiles(machine.state, MODEL).entries()] == [
        JournalEvent.PROMOTED,
        JournalEvent.PACKAGED,
        JournalEvent.STARTED,
        JournalEvent.LIVE,
    ]


def test_after_a_deploy_the_one_before_stays_loaded_and_the_third_is_ended(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests:
        model.deploy(ask_for(digest))
    assert machine.backend.accepting() == [digests[2]]
    assert machine.backend.loaded() == digests[1:]


def test_a_ledger_that_takes_no_line_after_the_switch_gets_it_later_and_nothing_else_is_left_undone(
    machine: FakeMachine, model: ModelRollout, digests: list[str], disk: FullDisk
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    disk.refuses = lambda line: b'"live"' in line
    model.deploy(ask_for(digests[2]))
    assert (machine.backend.accepting(), machine.backend.loaded()) == ([digests[2]], digests[1:])
    assert [one.release for one in model.deployments()] == digests[:2]
    model.traffic.keep_answering()
    disk.refuses = lambda _: False
    model.traffic.record(JournalEvent.RESTARTED, digests[2])
    assert [one.event for one in model.traffic.files.entries()][-2:] == [JournalEvent.LIVE, JournalEvent.RESTARTED]
    assert [one.release for one in model.deployments()] == digests


def test_the_same_delivery_again_changes_nothing(machine: FakeMachine, model: ModelRollout, digests: list[str]) -> None:
    first = model.deploy(ask_for(digests[0]))
    assert model.deploy(ask_for(digests[0])) == first
    assert len(machine.backend.all) == 1


def test_an_older_delivery_is_refused_before_anything_is_started(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[1]))
    with pytest.raises(Refused, match="after number 2, found number 1"):
        model.deploy(ask_for(digests[0]))
    assert len(machine.backend.all) == 1


@pytest.mark.parametrize("verb", ["wait_ready", "check", "go"])
def test_a_candidate_that_fails_is_ended_and_the_live_one_goes_on(
    verb: str, machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    before = model.deploy(ask_for(digests[0]))
    machine.backend.refuses = frozenset({verb})
    with pytest.raises(Refused, match=f"it does not {verb}"):
        model.deploy(ask_for(digests[1]))
    assert model.state().live == before
    assert machine.backend.accepting() == machine.backend.loaded() == [digests[0]]


def test_a_candidate_that_the_public_does_not_reach_gives_the_traffic_back(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.unreachable = True
    with pytest.raises(Refused, match="the one before goes on"):
        model.deploy(ask_for(digests[1]))
    assert machine.backend.accepting() == machine.backend.loaded() == [digests[0]]


def test_a_live_process_that_does_not_leave_is_ended_and_no_obstacle(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    machine.backend.refuses = frozenset({"drain"})
    model.deploy(ask_for(digests[0]))
    model.deploy(ask_for(digests[1]))
    assert machine.backend.accepting() == machine.backend.loaded() == [digests[1]]


def test_a_first_candidate_that_fails_leaves_nothing_listening(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    machine.backend.refuses = frozenset({"go"})
    with pytest.raises(Refused):
        model.deploy(ask_for(digests[0]))
    state = model.state()
    assert (state.live, state.url, state.answering) == (None, None, False)
    socket.create_server(("127.0.0.1", machine.port)).close()


def test_a_rollback_lets_the_loaded_process_answer_and_can_be_undone(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    first, second = (model.deploy(ask_for(digest)) for digest in digests[:2])
    back = model.rollback(BACK)
    assert (back.release, back.action, back.by, back.reason) == (first.release, Action.ROLLBACK, "grace", "complaints")
    assert model.state().previous == second
    assert machine.backend.accepting() == [digests[0]]
    assert model.rollback(BACK).release == second.release
    assert len(machine.backend.all) == 2


def test_a_rollback_starts_the_release_again_when_its_process_is_gone(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    machine.backend.all[0].kill()
    model.rollback(BACK)
    assert machine.backend.accepting() == [digests[0]]
    assert len(machine.backend.all) == 3


def test_a_rollback_without_a_release_before_is_refused(model: ModelRollout, digests: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(Refused, match="found none to return to"):
            model.rollback(BACK)
        model.deploy(ask_for(digests[0]))


def test_releases_of_another_model_and_unknown_ones_are_refused(model: ModelRollout, store: Path) -> None:
    other = build_release(store, ReleasePlan(model="language-id"))
    with pytest.raises(Refused, match="expected a release of diamond-price, found one of language-id"):
        model.deploy(ask_for(other.digest))
    with pytest.raises(Refused, match="found none: package it first"):
        model.deploy(ask_for("0" * 64))


def test_a_release_whose_files_were_changed_is_refused_before_anything_is_started(
    machine: FakeMachine, tmp_path: Path
) -> None:
    machine.store = tmp_path / "other-store"
    release = build_release(machine.store)
    with (machine.store / "releases" / release.digest / "model" / "MLmodel").open("a") as file:
        file.write("# one more line\n")
    with pytest.raises(Refused, match="its files were changed"):
        ModelRollout(MODEL, machine.dependencies()).deploy(ask_for(release.digest))
    assert machine.backend.all == []


def test_the_api_answers_in_records_and_refuses_in_one_line(
    machine: FakeMachine, digests: list[str], disk: FullDisk
) -> None:
    rollout = Rollout(machine.dependencies())
    transport = httpx.ASGITransport(app=create_app(rollout))

    async def scenario() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [
                await client.get("/health"),
                await client.get("/models/diamond-price"),
                await client.post("/models/diamond-price/rollback", json={"by": "ada", "reason": "x"}),
                await client.post("/models/diamond-price/deploy", json={"release": "nonsense", "by": "ada"}),
                await client.get("/models/Not%20A%20Name"),
                await client.post("/models/diamond-price/deploy", json={"release": digests[0], "by": "ada"}),
                await client.get("/models"),
                await client.get("/models/diamond-price/deployments"),
                await onto_a_full_disk(client),
            ]

    async def onto_a_full_disk(client: httpx.AsyncClient) -> httpx.Response:
        disk.refuses = lambda _: True
        return await client.post("/models/diamond-price/deploy", json={"release": digests[1], "by": "ada"})

    answers = asyncio.run(scenario())
    assert machine.backend.loaded() == [digests[0]]
    rollout.close()
    assert [answer.status_code for answer in answers] == [200, 200, 409, 422, 422, 200, 200, 200, 500]
    assert answers[8].json() == {
        "message": "the state cannot be written, what was live goes on: No space left on device"
    }
    assert answers[1].json()["live"] is None
    assert [answers[place].json()["message"].count("\n") for place in (2, 3, 4)] == [0, 0, 0]
    assert [state["live"] for state in answers[6].json()] == answers[7].json() == [answers[5].json()]


def test_the_api_tells_its_metrics_to_whoever_asks(machine: FakeMachine, digests: list[str]) -> None:
    rollout = Rollout(machine.dependencies())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(rollout, Access(token="secret")))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/metrics")

    try:
        rollout.deploy(MODEL, ask_for(digests[0]))
        answer = asyncio.run(ask())
    finally:
        rollout.close()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert f'trackback_answering{{model="{MODEL}"}} 1.0' in answer.text
    assert f'trackback_deployments_total{{action="deploy",model="{MODEL}"}} 1.0' in answer.text
