"""Who answers after a process or the rollout service itself has died, with fake processes."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import TypeVar

import pytest

from services.contract.control_protocol import Workers
from services.rollout.model import ModelRollout
from services.rollout.rollout import Rollout
from services.rollout.traffic import CALM_SECONDS
from tests.support.poll import poll_until
from tests.support.rollout_fakes import BACK, MODEL, FakeMachine, FakeServing, FullDisk, ask_for, set_signal

Told = TypeVar("Told")


def test_a_live_process_that_dies_is_started_again(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].kill()
    assert not model.state().answering
    model.traffic.keep_answering()
    assert model.state().answering
    assert machine.backend.accepting() == [digests[0]]


def test_a_live_process_that_dies_is_started_again_although_the_disk_is_full(
    machine: FakeMachine, model: ModelRollout, digests: list[str], disk: FullDisk
) -> None:
    model.deploy(ask_for(digests[0]))
    disk.refuses = lambda _: True
    machine.backend.all[0].kill()
    assert not model.traffic.keep_answering()
    assert machine.backend.accepting() == machine.backend.loaded() == [digests[0]]
    disk.refuses = lambda _: False
    assert model.traffic.keep_answering()
    assert [one.event for one in model.traffic.files.entries()][-3:] == ["down", "restarted", "back"]


def test_a_release_that_cannot_be_started_again_is_not_tried_without_a_pause(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].kill()
    machine.backend.refuses = frozenset({"wait_ready"})
    for _ in range(3):
        model.traffic.keep_answering()
    assert len(machine.backend.all) == 2


def test_what_ends_again_and_again_is_started_after_longer_pauses_and_says_so(
    machine: FakeMachine, digests: list[str]
) -> None:
    now = [0.0]
    model = ModelRollout(MODEL, machine.dependencies(clock=lambda: now[0]))
    with closing(machine.backend):
        model.deploy(ask_for(digests[0]))
        for started, pause in enumerate((0.0, 0.5, 1.0, 2.0), start=1):
            machine.backend.all[-1].kill()
            now[0] += pause / 2
            model.traffic.keep_answering()
            found = model.state()
            assert (found.answering, found.tries) == (not pause, started - 1 if pause else 1)
            assert (found.next_try is not None, found.reason) == (
                (True, "what answered had ended") if pause else (False, "")
            )
            now[0] += pause / 2
            model.traffic.keep_answering()
            assert (model.state().answering, len(machine.backend.all)) == (True, started + 1)
            assert model.state().tries == started, "it answers, and crashes all the same"
        now[0] += CALM_SECONDS
        model.traffic.keep_answering()
        assert model.state().tries == 0
        machine.backend.all[-1].kill()
        model.traffic.keep_answering()
        assert model.state().answering


def test_the_state_of_a_model_has_its_workers_while_its_release_runs(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    assert model.state().workers is None
    machine.backend.all[0].counted = Workers(wanted=2, ready=1, ended=3, reason="worker 1 ended by SIGSEGV")
    assert model.state().workers == machine.backend.all[0].counted
    machine.backend.all[0].kill()
    assert model.state().workers is None


def test_a_live_release_that_lacks_a_replica_is_made_whole_while_it_answers(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].torn = True
    assert not model.traffic.keep_complete()
    assert machine.backend.all[0].complete()
    assert model.traffic.keep_complete()
    assert machine.backend.loaded() == [digests[0], digests[0]]
    assert machine.backend.accepting() == [digests[0]]


@pytest.mark.parametrize("refused", ["wait_ready", "add"])
def test_a_replica_that_cannot_be_had_is_not_tried_without_a_pause_and_the_rest_answers(
    refused: str, machine: FakeMachine, model: ModelRollout, digests: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].torn = True
    machine.backend.refuses = machine.backend.all[0].refuses = frozenset({refused})
    for _ in range(3):
        assert not model.traffic.keep_complete()
    assert [record.message for record in caplog.records if "fewer replicas" in record.message] == [
        f"diamond-price answers with fewer replicas than it should: it does not {refused}"
    ]
    assert model.state().answering
    assert machine.backend.loaded() == [digests[0]]


@contextmanager
def loading(machine: FakeMachine, look: Callable[[], bool]) -> Iterator[FakeServing]:
    """What `look` starts, which is not ready before the block ends."""
    machine.backend.may_load = Event()
    known = len(machine.backend.all)
    with ThreadPoolExecutor(1) as pool:
        looks = pool.submit(look)
        try:
            poll_until(lambda: len(machine.backend.all) > known, "a start", pause=0.01)
            assert machine.backend.all[known].loading.wait(20)
            yield machine.backend.all[known]
        finally:
            machine.backend.may_load.set()
            looks.result(20)


def in_time(deed: Callable[[], Told]) -> Told:
    """Fails when it waits for what never comes."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(deed).result(30)
    finally:
        pool.shutdown(wait=False)


def test_a_rollback_is_not_held_up_by_a_replica_that_loads_and_leaves_no_third_container(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    machine.backend.all[1].torn = True
    with loading(machine, model.traffic.keep_complete) as spare:
        assert in_time(lambda: model.rollback(BACK)).release == digests[0]
        assert machine.backend.accepting() == [digests[0]]
        assert spare.running
    assert not spare.running
    assert machine.backend.loaded() == digests[:2]
    assert machine.backend.all[1].torn


def test_a_deploy_while_a_replica_loads_leaves_no_container_of_the_release_before(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].torn = True
    with loading(machine, model.traffic.keep_complete) as spare:
        machine.backend.may_load, held = set_signal(), machine.backend.may_load
        assert in_time(lambda: model.deploy(ask_for(digests[1]))).release == digests[1]
        machine.backend.may_load = held
    assert not spare.running
    assert machine.backend.accepting() == [digests[1]]
    assert machine.backend.loaded() == digests[:2]


def test_what_ends_while_a_replica_loads_is_seen_and_the_replica_answers_when_it_is_ready(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = machine.backend.all
    live.torn = True
    with loading(machine, model.traffic.keep_complete) as spare:
        assert in_time(model.traffic.keep_answering)
        assert live.drops == 1
    assert live.spares == [spare]
    assert spare.running


def test_a_service_looks_at_what_answers_while_it_makes_it_whole(machine: FakeMachine, digests: list[str]) -> None:
    rollout = Rollout(machine.dependencies())
    rollout.open()
    try:
        rollout.deploy(MODEL, ask_for(digests[0]))
        (live,) = machine.backend.all
        machine.backend.may_load, live.torn = Event(), True
        machine.backend.wake()
        poll_until(lambda: len(machine.backend.all) == 2, "a replica that loads", pause=0.01)
        live.lost = True
        machine.backend.wake()
        poll_until(lambda: not live.lost, "its address put back", pause=0.01)
        machine.backend.may_load.set()
        poll_until(live.complete, "all replicas", pause=0.01)
    finally:
        machine.backend.may_load.set()
        rollout.close()


def test_a_rollback_is_not_held_up_by_what_is_started_again(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    machine.backend.all[1].kill()
    with loading(machine, model.traffic.keep_answering) as again:
        assert in_time(lambda: model.rollback(BACK)).release == digests[0]
        assert model.state().answering
    assert not again.running
    assert machine.backend.accepting() == machine.backend.loaded() == [digests[0]]
    assert model.state().down_since is None


def test_what_cannot_be_started_again_is_no_outage_of_what_took_its_place(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    machine.backend.all[1].kill()
    machine.backend.refuses = frozenset({"wait_ready"})
    with loading(machine, model.traffic.keep_answering):
        in_time(lambda: model.rollback(BACK))
    assert model.traffic.outages.current is None


def restarted(machine: FakeMachine, left: list[FakeServing]) -> ModelRollout:
    """What the next service makes of the processes that the last one left."""
    machine.restart(left)
    model = ModelRollout(MODEL, machine.dependencies())
    model.traffic.recover(left)
    return model


def test_the_next_service_adopts_what_answers_and_keeps_the_port(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    after = restarted(machine, machine.backend.all)
    assert after.state() == model.state()
    assert machine.backend.all == []
    after.rollback(BACK)
    assert machine.backend.accepting() == [digests[0]]


def test_a_switch_that_was_cut_before_the_pointer_moved_is_rolled_back(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (old,) = machine.backend.all
    candidate = FakeServing(MODEL, digests[1], machine.backend.listeners, accepts_on=old.accepts_on)
    old.drain()
    after = restarted(machine, [candidate, old])
    assert machine.backend.accepting() == machine.backend.loaded() == [digests[0]]
    assert after.state().answering


def test_a_switch_that_was_cut_after_the_pointer_moved_is_rolled_forward(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    model.deploy(ask_for(digests[1]))
    journal = machine.state / MODEL / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    machine.backend.all[0].accepts_on = machine.backend.all[1].accepts_on
    after = restarted(machine, machine.backend.all)
    assert machine.backend.accepting() == [digests[1]]
    assert [deployment.release for deployment in after.deployments()] == digests[:2]


@pytest.mark.parametrize("refusing_first", [True, False])
def test_of_two_processes_of_the_live_release_the_one_that_takes_the_address_answers(
    machine: FakeMachine, model: ModelRollout, digests: list[str], refusing_first: bool
) -> None:
    """The service was killed while it started again what had been retired, or what did not answer."""
    model.deploy(ask_for(digests[0]))
    (answering,) = machine.backend.all
    stopping = FakeServing(MODEL, digests[0], machine.backend.listeners, refuses=frozenset({"go"}))
    restarted(machine, [stopping, answering] if refusing_first else [answering, stopping])
    assert (answering.running, bool(answering.accepts_on), stopping.running) == (True, True, False)


def test_files_that_a_crash_left_half_written_are_removed(machine: FakeMachine, digests: list[str]) -> None:
    rollout = Rollout(machine.dependencies())
    rollout.open()
    rollout.deploy(MODEL, ask_for(digests[0]))
    half = [machine.state / MODEL / ".live.json.x1y2", machine.state / "_ledger" / f".{MODEL}.json.x1y2"]
    for path in half:
        path.write_text("{")
    left = list(machine.backend.all)
    machine.restart(left)
    again = Rollout(machine.dependencies())
    again.open()
    try:
        assert [path for path in half if path.exists()] == []
        assert machine.backend.accepting() == [digests[0]]
    finally:
        again.close()
        rollout.close()


def test_a_candidate_of_a_model_without_any_release_is_ended(machine: FakeMachine, digests: list[str]) -> None:
    left = FakeServing(MODEL, digests[0], machine.backend.listeners)
    machine.restart([left])
    left.go()
    after = ModelRollout(MODEL, machine.dependencies())
    after.traffic.recover([left])
    assert (left.running, after.state().live) == (False, None)
    socket.create_server(("127.0.0.1", machine.port)).close()


def test_when_nothing_is_left_running_the_recorded_release_is_started_on_its_port(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    before = model.state()
    after = restarted(machine, [])
    after.traffic.keep_answering()
    assert after.state() == before
    assert machine.backend.accepting() == [digests[0]]


def watched(model: ModelRollout) -> ModelRollout:
    model.traffic.keep_answering()
    return model


def test_a_lost_address_is_put_back_and_what_is_loaded_goes_on(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = machine.backend.all
    live.lost = True
    assert not model.state().answering
    model.traffic.keep_answering()
    assert model.state().answering
    assert machine.backend.all == [live]


def test_what_cannot_be_told_because_the_address_is_lost_is_not_ended(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    left = machine.backend.all
    for serving in left:
        serving.without_address = serving.lost = True
    after = restarted(machine, left)
    after.traffic.keep_answering()
    assert (machine.backend.loaded(), after.state().answering) == (digests[:2], False)
    for serving in left:
        serving.without_address = False
    poll_until(lambda: watched(after).state().answering, "an answer", pause=0.02)
    assert machine.backend.all == []


def test_what_does_not_answer_says_since_when_and_why_until_it_does(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].kill()
    machine.backend.refuses = frozenset({"wait_ready"})
    before = datetime.now(UTC)
    model.traffic.keep_answering()
    down = model.state()
    assert (down.answering, down.reason) == (False, "it does not wait_ready")
    assert down.down_since
    assert before <= down.down_since <= datetime.now(UTC)
    after = restarted(machine, [])
    assert after.state().down_since == down.down_since
    after.traffic.keep_answering()
    assert (after.state().answering, after.state().down_since, after.state().reason) == (True, None, "")


def test_a_lost_address_is_why_a_model_does_not_answer_and_a_new_release_ends_it(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = machine.backend.all
    live.lost, live.without_address = True, True
    model.traffic.keep_answering()
    assert model.state().reason == "the address cannot be changed"
    live.without_address = False
    model.deploy(ask_for(digests[1]))
    assert model.state().down_since is None
    machine.backend.all[1].kill()
    assert (model.state().answering, model.state().reason) == (False, "")


def test_an_outage_that_ended_is_in_the_journal_with_both_ends(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    model.deploy(ask_for(digests[0]))
    (live,) = machine.backend.all
    live.lost = True
    model.traffic.keep_answering()
    events = [(entry.event, entry.message) for entry in model.traffic.files.entries()]
    assert events[-2:] == [("down", "its address does not lead to it"), ("back", "")]
