"""Who answers after a process or the rollout service itself has died, with processes that are played."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.rollout.model import ModelRollout
from tests.rollout_service import free_port
from tests.rollout_stage import BACK, MODEL, PlayedLauncher, PlayedServing, Stage, ask_for, three_releases


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
    model.traffic.close()


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
