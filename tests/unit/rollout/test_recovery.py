"""Who answers after a process or the rollout service itself has died, with processes that are played."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal
from typing import TypeVar

import pytest

from services.rollout.model import ModelRollout
from services.rollout.rollout import Rollout
from tests.support.poll import poll_until
from tests.support.rollout_service import free_port
from tests.support.rollout_stage import BACK, MODEL, PlayedServing, Stage, ask_for, set_signal, three_releases

Told = TypeVar("Told")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def digests(store: Path) -> list[str]:
    return three_releases(store)


@pytest.fixture
def stage(tmp_path: Path, store: Path) -> Stage:
    return Stage(tmp_path, store, free_port())


@pytest.fixture
def model(stage: Stage) -> Iterator[ModelRollout]:
    model = ModelRollout(MODEL, stage.means())
    yield model
    stage.backend.close()


def test_a_live_process_that_dies_is_started_again(stage: Stage, model: ModelRollout, digests: list[str]) -> None:
    model.deploy(ask_for(digests[0]))
    stage.backend.all[0].kill()
    assert not model.state().answering
    model.traffic.keep_answering()
    assert model.state().answering
    assert stage.backend.accepting() == [digests[0]]


def test_a_release_that_cannot_be_started_again_is_not_tried_without_a_pause(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.backend.all[0].kill()
    stage.backend.refuses = frozenset({"wait_ready"})
    for _ in range(3):
        model.traffic.keep_answering()
    assert len(stage.backend.all) == 2


def test_a_live_release_that_lacks_a_replica_is_made_whole_while_it_answers(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.backend.all[0].torn = True
    assert not model.traffic.keep_whole()
    assert stage.backend.all[0].whole()
    assert model.traffic.keep_whole()
    assert stage.backend.loaded() == [digests[0], digests[0]]
    assert stage.backend.accepting() == [digests[0]]


@pytest.mark.parametrize("refused", ["wait_ready", "take_in"])
def test_a_replica_that_cannot_be_had_is_not_tried_without_a_pause_and_the_rest_answers(
    refused: str, stage: Stage, model: ModelRollout, digests: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.backend.all[0].torn = True
    stage.backend.refuses = stage.backend.all[0].refuses = frozenset({refused})
    for _ in range(3):
        assert not model.traffic.keep_whole()
    assert [record.message for record in caplog.records if "fewer replicas" in record.message] == [
        f"diamond-price answers with fewer replicas than it should: it does not {refused}"
    ]
    assert model.state().answering
    assert stage.backend.loaded() == [digests[0]]


@contextmanager
def loading(stage: Stage, look: Callable[[], bool]) -> Iterator[PlayedServing]:
    """What `look` starts, which is not ready before the block ends."""
    stage.backend.may_load = Signal()
    known = len(stage.backend.all)
    with ThreadPoolExecutor(1) as pool:
        looks = pool.submit(look)
        try:
            poll_until(lambda: len(stage.backend.all) > known, "a start", pause=0.01)
            assert stage.backend.all[known].loading.wait(20)
            yield stage.backend.all[known]
        finally:
            stage.backend.may_load.set()
            looks.result(20)


def in_time(deed: Callable[[], Told]) -> Told:
    """Fails when it waits for what never comes."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(deed).result(30)
    finally:
        pool.shutdown(wait=False)


def test_a_rollback_is_not_held_up_by_a_replica_that_loads_and_leaves_no_third_container(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    stage.backend.all[1].torn = True
    with loading(stage, model.traffic.keep_whole) as spare:
        assert in_time(lambda: model.rollback(BACK)).release == digests[0]
        assert stage.backend.accepting() == [digests[0]]
        assert spare.running
    assert not spare.running
    assert stage.backend.loaded() == digests[:2]
    assert stage.backend.all[1].torn


def test_a_deploy_while_a_replica_loads_leaves_no_container_of_the_release_before(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.backend.all[0].torn = True
    with loading(stage, model.traffic.keep_whole) as spare:
        stage.backend.may_load, held = set_signal(), stage.backend.may_load
        assert in_time(lambda: model.deploy(ask_for(digests[1]))).release == digests[1]
        stage.backend.may_load = held
    assert not spare.running
    assert stage.backend.accepting() == [digests[1]]
    assert stage.backend.loaded() == digests[:2]


def test_what_ends_while_a_replica_loads_is_seen_and_the_replica_answers_when_it_is_ready(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = stage.backend.all
    live.torn = True
    with loading(stage, model.traffic.keep_whole) as spare:
        assert in_time(model.traffic.keep_answering)
        assert live.sheds == 1
    assert live.spares == [spare]
    assert spare.running


def test_a_service_looks_at_what_answers_while_it_makes_it_whole(stage: Stage, digests: list[str]) -> None:
    rollout = Rollout(stage.means())
    rollout.open()
    try:
        rollout.deploy(MODEL, ask_for(digests[0]))
        (live,) = stage.backend.all
        stage.backend.may_load, live.torn = Signal(), True
        stage.backend.stir()
        poll_until(lambda: len(stage.backend.all) == 2, "a replica that loads", seconds=30, pause=0.01)
        live.lost = True
        stage.backend.stir()
        poll_until(lambda: not live.lost, "its address put back", seconds=20, pause=0.01)
        stage.backend.may_load.set()
        poll_until(live.whole, "all replicas", seconds=30, pause=0.01)
    finally:
        stage.backend.may_load.set()
        rollout.close()


def test_a_rollback_is_not_held_up_by_what_is_started_again(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    stage.backend.all[1].kill()
    with loading(stage, model.traffic.keep_answering) as again:
        assert in_time(lambda: model.rollback(BACK)).release == digests[0]
        assert model.state().answering
    assert not again.running
    assert stage.backend.accepting() == stage.backend.loaded() == [digests[0]]
    assert model.state().down_since is None


def test_what_cannot_be_started_again_is_no_outage_of_what_took_its_place(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    stage.backend.all[1].kill()
    stage.backend.refuses = frozenset({"wait_ready"})
    with loading(stage, model.traffic.keep_answering):
        in_time(lambda: model.rollback(BACK))
    assert model.traffic.outages.current is None


def restarted(stage: Stage, left: list[PlayedServing]) -> ModelRollout:
    """What the next service makes of the processes that the last one left."""
    stage.restart(left)
    model = ModelRollout(MODEL, stage.means())
    model.traffic.recover(left)
    return model


def test_the_next_service_adopts_what_answers_and_keeps_the_port(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    after = restarted(stage, stage.backend.all)
    assert after.state() == model.state()
    assert stage.backend.all == []
    after.rollback(BACK)
    assert stage.backend.accepting() == [digests[0]]


def test_a_switch_that_was_cut_before_the_pointer_moved_is_rolled_back(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (old,) = stage.backend.all
    candidate = PlayedServing(MODEL, digests[1], stage.backend.listeners, accepts_on=old.accepts_on)
    old.drain()
    after = restarted(stage, [candidate, old])
    assert stage.backend.accepting() == stage.backend.loaded() == [digests[0]]
    assert after.state().answering


def test_a_switch_that_was_cut_after_the_pointer_moved_is_rolled_forward(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    model.deploy(ask_for(digests[1]))
    journal = stage.state / MODEL / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    stage.backend.all[0].accepts_on = stage.backend.all[1].accepts_on
    after = restarted(stage, stage.backend.all)
    assert stage.backend.accepting() == [digests[1]]
    assert [deployment.release for deployment in after.deployments()] == digests[:2]


def test_a_candidate_of_a_model_without_any_release_is_ended(stage: Stage, digests: list[str]) -> None:
    left = PlayedServing(MODEL, digests[0], stage.backend.listeners)
    stage.restart([left])
    left.go()
    after = ModelRollout(MODEL, stage.means())
    after.traffic.recover([left])
    assert (left.running, after.state().live) == (False, None)
    socket.create_server(("127.0.0.1", stage.port)).close()


def test_when_nothing_is_left_running_the_recorded_release_is_started_on_its_port(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    before = model.state()
    after = restarted(stage, [])
    after.traffic.keep_answering()
    assert after.state() == before
    assert stage.backend.accepting() == [digests[0]]


def watched(model: ModelRollout) -> ModelRollout:
    model.traffic.keep_answering()
    return model


def test_a_lost_address_is_put_back_and_what_is_loaded_goes_on(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = stage.backend.all
    live.lost = True
    assert not model.state().answering
    model.traffic.keep_answering()
    assert model.state().answering
    assert stage.backend.all == [live]


def test_what_cannot_be_told_because_the_address_is_lost_is_not_ended(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    left = stage.backend.all
    for serving in left:
        serving.without_address = serving.lost = True
    after = restarted(stage, left)
    after.traffic.keep_answering()
    assert (stage.backend.loaded(), after.state().answering) == (digests[:2], False)
    for serving in left:
        serving.without_address = False
    poll_until(lambda: watched(after).state().answering, "an answer", pause=0.02)
    assert stage.backend.all == []


def test_what_does_not_answer_says_since_when_and_why_until_it_does(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    stage.backend.all[0].kill()
    stage.backend.refuses = frozenset({"wait_ready"})
    before = datetime.now(UTC)
    model.traffic.keep_answering()
    down = model.state()
    assert (down.answering, down.reason) == (False, "it does not wait_ready")
    assert down.down_since
    assert before <= down.down_since <= datetime.now(UTC)
    after = restarted(stage, [])
    assert after.state().down_since == down.down_since
    after.traffic.keep_answering()
    assert (after.state().answering, after.state().down_since, after.state().reason) == (True, None, "")


def test_a_lost_address_is_why_a_model_does_not_answer_and_a_new_release_ends_it(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = stage.backend.all
    live.lost, live.without_address = True, True
    model.traffic.keep_answering()
    assert model.state().reason == "the address cannot be changed"
    live.without_address = False
    model.deploy(ask_for(digests[1]))
    assert model.state().down_since is None
    stage.backend.all[1].kill()
    assert (model.state().answering, model.state().reason) == (False, "")


def test_an_outage_that_ended_is_in_the_journal_with_both_ends(
    stage: Stage, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = stage.backend.all
    live.lost = True
    model.traffic.keep_answering()
    events = [(entry.event, entry.message) for entry in model.traffic.files.entries()]
    assert events[-2:] == [("down", "its address does not lead to it"), ("back", "")]
