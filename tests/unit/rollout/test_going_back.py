"""Rollback to any recorded release, its plan, and retirement, with fake processes."""

import shutil
from pathlib import Path
from threading import Thread

import pytest

from services.contract.candidate import PipelineRef
from services.contract.deployment import Action, RetireRequest, RollbackRequest
from services.contract.errors import LiveChanged, Refused
from services.contract.ledger import JournalEvent, LedgerNote
from services.rollout.model import ModelRollout
from services.rollout.release_store import ReleaseStore
from services.rollout.traffic import Dependencies
from tests.support.rollout_fakes import BACK, MODEL, FakeMachine, ask_for

RETIRE = RetireRequest(by="grace", reason="nobody asks it")


def back_to(to: str) -> RollbackRequest:
    return RollbackRequest(by="grace", reason="complaints", to=to)


def events(model: ModelRollout) -> list[JournalEvent]:
    return [one.event for one in model.traffic.files.entries()]


def restarted(machine: FakeMachine) -> ModelRollout:
    """After the service was killed, and with it nothing that serves."""
    machine.restart([one for one in machine.backend.all + machine.backend.left if one.running])
    after = ModelRollout(MODEL, machine.dependencies())
    after.traffic.recover(machine.backend.adopt())
    return after


@pytest.mark.parametrize("by_digest", [False, True])
def test_a_rollback_goes_to_any_revision_that_answered_and_is_done_once(
    by_digest: bool, machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests:
        model.deploy(ask_for(digest))
    to = digests[0][:8] if by_digest else "1-aaaaaaaa"
    done = model.rollback(back_to(to))
    assert (done.release, done.action, done.by) == (digests[0], Action.ROLLBACK, "grace")
    assert model.rollback(back_to(to)) == done
    assert machine.backend.accepting() == [digests[0]]
    assert model.rollback(BACK).release == digests[2]


@pytest.mark.parametrize("to", ["9-aaaaaaaa", "", "1-", "aaaaaaa", "f" * 64, "../x", "1-aaaaaaaa\n"])
def test_what_never_answered_is_no_place_to_go_back_to(to: str, model: ModelRollout, digests: list[str]) -> None:
    model.deploy(ask_for(digests[0]))
    with pytest.raises(Refused, match="known are 1-aaaaaaaa"):
        model.rollback(back_to(to))
    assert len(model.deployments()) == 1


def test_what_is_still_loaded_repeats_its_golden_rows_before_it_gets_traffic(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    machine.backend.all[0].refuses = frozenset({"check"})
    model.rollback(BACK)
    assert machine.backend.accepting() == [digests[0]]
    assert len(machine.backend.all) == 3, "what had answered wrongly was taken"
    assert not machine.backend.all[0].running
    assert "what was still loaded: it does not check" in [one.message for one in model.traffic.files.entries()]


def test_a_release_whose_files_are_gone_is_fetched_by_its_digest_from_another_store(
    machine: FakeMachine, tmp_path: Path, store: Path, digests: list[str]
) -> None:
    ours, backup = tmp_path / "ours", tmp_path / "backup"
    for place in (ours, backup):
        shutil.copytree(store / "releases", place / "releases")
    found = machine.dependencies()
    model = ModelRollout(
        MODEL, Dependencies(found.state, ReleaseStore(ours, [backup]), found.backend, found.drain_seconds)
    )
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    for digest in digests:
        shutil.rmtree(ours / "releases" / digest)
    assert model.plan(None).target.release == digests[0]
    assert not (ours / "releases" / digests[0]).exists(), "a plan changes nothing"
    assert model.rollback(BACK).release == digests[0]
    assert sorted(path.name for path in (ours / "releases").iterdir()) == [digests[0]]
    (backup / "releases" / digests[1] / "model" / "MLmodel").write_text("another")
    with pytest.raises(Refused, match="its files were changed"):
        model.rollback(BACK)
    shutil.rmtree(backup / "releases" / digests[1])
    with pytest.raises(Refused, match=r"expected release .* in .*ours/releases or .*backup/releases, found none"):
        model.rollback(BACK)
    assert machine.backend.accepting() == [digests[0]]
    assert sorted(path.name for path in (ours / "releases").iterdir()) == [digests[0]]


def test_a_plan_says_what_would_happen_and_nothing_does(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    with pytest.raises(Refused, match="found none to return to"):
        model.plan(None)
    for digest in digests:
        model.deploy(ask_for(digest))
    before = events(model)
    warm, cold, none = model.plan(None), model.plan("1-aaaaaaaa"), model.plan("3-aaaaaaaa")
    assert [(one.target.revision, one.loaded, one.standing) for one in (warm, cold, none)] == [
        ("2-aaaaaaaa", True, False),
        ("1-aaaaaaaa", False, False),
        ("3-aaaaaaaa", True, True),
    ]
    assert "what is still loaded repeats 4 golden rows" in warm.checks[1]
    assert cold.changes[0] == "1-aaaaaaaa is loaded, beside what answers"
    assert none.changes == ()
    assert (events(model), len(machine.backend.all)) == (before, 3)


def test_a_rollback_during_a_deploy_goes_at_once_and_the_deploy_is_to_be_compared_again(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    machine.backend.may_load.clear()
    refused: list[LiveChanged] = []

    def deploy() -> None:
        try:
            model.deploy(ask_for(digests[2]))
        except LiveChanged as changed:
            refused.append(changed)

    deploying = Thread(target=deploy)
    deploying.start()
    while len(machine.backend.all) < 3:
        assert deploying.is_alive()
    assert machine.backend.all[2].loading.wait(60)
    assert model.rollback(BACK).release == digests[0]
    machine.backend.all[2].may_load.set()
    deploying.join(60)
    assert "expected 2-aaaaaaaa to be live until this release was loaded, found 1-aaaaaaaa" in str(refused[0])
    assert machine.backend.accepting() == [digests[0]]
    assert not machine.backend.all[2].running
    assert model.deploy(ask_for(digests[2])).release == digests[2]


def test_a_retired_model_answers_no_more_not_even_after_a_restart(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    done = model.retire(RETIRE)
    assert model.retire(RetireRequest(by="another", reason="again")) == done
    assert (machine.backend.loaded(), model.traffic.keep_answering()) == ([], True)
    state = model.state()
    assert (state.live, state.url, state.answering, state.down_since) == (None, None, False, None)
    assert state.retired
    assert (state.retired.by, state.retired.deployment.release) == ("grace", digests[1])
    after = restarted(machine)
    assert (after.traffic.keep_answering(), machine.backend.loaded(), after.state().retired) == (True, [], done)


def test_a_rollback_or_a_new_promotion_brings_a_retired_model_back_and_an_old_delivery_does_not(
    machine: FakeMachine, model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    model.retire(RETIRE)
    with pytest.raises(Refused, match="promotion 2 was retired by grace: roll back, or promote its run again"):
        model.deploy(ask_for(digests[1]))
    assert model.rollback(BACK).release == digests[1]
    assert (model.state().retired, machine.backend.accepting()) == (None, [digests[1]])
    model.retire(RETIRE)
    assert model.deploy(ask_for(digests[2])).release == digests[2]
    assert model.rollback(BACK).release == digests[1]
    assert machine.backend.accepting() == [digests[1]]


def test_what_never_answered_cannot_be_retired(model: ModelRollout) -> None:
    with pytest.raises(Refused, match="found none to retire"):
        model.retire(RETIRE)


def test_an_outage_ends_with_its_model(machine: FakeMachine, model: ModelRollout, digests: list[str]) -> None:
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].kill()
    machine.backend.refuses = frozenset({"wait_ready"})
    model.traffic.keep_answering()
    assert model.state().down_since
    model.retire(RETIRE)
    assert (model.state().down_since, restarted(machine).state().down_since) == (None, None)


def test_the_ledger_tells_promotion_package_deploy_rollback_and_retirement_with_who_and_why(
    model: ModelRollout, digests: list[str]
) -> None:
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    model.rollback(BACK)
    model.retire(RETIRE)
    told = [(one.event, one.revision, one.by) for one in model.traffic.files.entries() if one.revision]
    assert told == [
        ("promoted", "1-aaaaaaaa", "unknown"),
        ("packaged", "1-aaaaaaaa", ""),
        ("live", "1-aaaaaaaa", "ada"),
        ("promoted", "2-aaaaaaaa", "unknown"),
        ("packaged", "2-aaaaaaaa", ""),
        ("live", "2-aaaaaaaa", "ada"),
        ("live", "1-aaaaaaaa", "grace"),
        ("retired", "1-aaaaaaaa", "grace"),
    ]
    assert model.traffic.files.audit().intact


def test_what_a_stage_has_told_is_not_told_again(model: ModelRollout, digests: list[str]) -> None:
    pipeline = PipelineRef(name=MODEL, counter=7, label="1-aaaaaaaa")
    shared = {"revision": "1-aaaaaaaa", "run_id": "a" * 32, "pipeline": pipeline}
    refused = LedgerNote(event=JournalEvent.GATE_REFUSED, stage="validate", message="mae: too high", **shared)
    for _ in range(2):
        model.note(refused)
        model.note(LedgerNote(event=JournalEvent.PROMOTED, by="ada", **shared))
    model.deploy(ask_for(digests[0]))
    assert events(model) == ["gate-refused", "promoted", "packaged", "started", "live"]
    [gate] = [one for one in model.traffic.files.entries() if one.stage]
    assert (gate.stage, gate.message, gate.pipeline and gate.pipeline.counter) == ("validate", "mae: too high", 7)
