"""At every fail point the rollout service may be killed: the next one finds what is live, and all else ends.

A machine with fake processes is copied at each point that is reached, and a new service is started on every copy.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from services.contract.deployment import RetireRequest
from services.contract.errors import Refused
from services.contract.rollout_plan import RolloutPlan, WhenInconclusive
from services.contract.waiting import wait_until
from services.rollout import fail_points
from services.rollout.analysis.figures import Seen
from services.rollout.fail_points import EXPENDABLE, FAIL_AT, FailPoint, arm, reached, telling
from services.rollout.model import ModelRollout
from services.rollout.state import make_key
from services.rollout.steps import takeover
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_fakes import BACK, MODEL, FakeMachine, ask_for
from tests.support.rollout_invariants import wrong_on
from tests.support.snapshots import Album, taking_snapshots

# Of real processes: tests/integration/test_killed.py reaches these.
OF_PROCESSES = {FailPoint.PROCESS_STARTED, FailPoint.PROCESS_RECORDED}
PLAN = RolloutPlan(canary=(0.05,), step=0.01, bake=0.01, min_requests=1, inconclusive=WhenInconclusive.PROMOTE)
RETIRE = RetireRequest(by="grace", reason="nobody asks it")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def digests(store: Path) -> list[str]:
    rollouts = (PLAN, PLAN, PLAN, PLAN.model_copy(update={"canary": ()}))
    plans = (ReleasePlan(number=one, rollout=plan) for one, plan in enumerate(rollouts, start=1))
    return [build_release(store, one).digest for one in plans]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, store: Path, digests: list[str], port: int) -> Iterator[Album]:
    """Of a life with all that can happen."""
    machine = FakeMachine(tmp_path_factory.mktemp("state"), store, port)
    make_key(machine.state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(takeover, "PAUSE_SECONDS", 0.002)
        with closing(machine), taking_snapshots(machine, tmp_path_factory.mktemp("album")) as album:
            live_a_whole_life(machine, digests, album)
    yield album


def live_a_whole_life(machine: FakeMachine, digests: list[str], album: Album) -> None:
    model = ModelRollout(MODEL, machine.dependencies())
    model.deploy(ask_for(digests[0]))
    for bakes, digest in enumerate(digests[1:3], start=1):
        model.deploy(ask_for(digest))
        wait_until(lambda: album.times(FailPoint.BAKE_OVER) == bakes, "the end of its bake", 60)  # noqa: B023
    model.rollback(BACK)
    machine.backend.all[-2].kill()
    model.traffic.keep_answering()
    machine.backend.sees = lambda: Seen(restarts=next(restarts))
    restarts = iter(range(1_000_000))
    model.deploy(ask_for(digests[3]))
    wait_until(lambda: FailPoint.GONE_BACK in album.points, "the release before", 60)
    machine.restart([one for one in machine.backend.all if one.running])
    again = ModelRollout(MODEL, machine.dependencies())
    again.traffic.recover(machine.backend.adopt())
    again.retire(RETIRE)


@pytest.mark.parametrize("point", sorted(set(FailPoint) - OF_PROCESSES - {FailPoint.BAKE_RESUMED}))
def test_a_service_that_is_killed_at_this_point_leaves_what_the_next_one_puts_in_order(
    point: FailPoint, album: Album, store: Path, port: int, tmp_path: Path
) -> None:
    found = [one for one in album.taken if one.point is point]
    assert found, f"no scenario reaches {point}"
    for snapshot in found:
        with closing(snapshot.next_machine(tmp_path / snapshot.state.name, store, port)) as machine:
            model = started_again(machine)
            assert list(wrong_on(machine, MODEL)) == [], snapshot.state.name
            end(model)


@pytest.mark.parametrize("point", [FailPoint.POINTED, FailPoint.LEDGER_WRITTEN, FailPoint.BAKE_BEGUN])
def test_a_bake_that_was_cut_goes_on_with_the_next_service(
    point: FailPoint, album: Album, store: Path, port: int, tmp_path: Path
) -> None:
    # The first release has nothing to go back to, so it has no bake.
    second = [one for one in album.taken if one.point is point][point is not FailPoint.BAKE_BEGUN]
    points: list[FailPoint] = []
    with closing(second.next_machine(tmp_path / "state", store, port)) as machine, telling(points.append):
        model = started_again(machine)
        assert points[-1] is FailPoint.BAKE_RESUMED
        end(model)


def started_again(machine: FakeMachine) -> ModelRollout:
    model = ModelRollout(MODEL, machine.dependencies())
    model.traffic.recover(machine.backend.adopt())
    model.traffic.keep_answering()
    model.resume_bake()
    return model


def end(model: ModelRollout) -> None:
    """With its bake."""
    if model.traffic.live:
        model.retire(RETIRE)
    wait_until(lambda: model.state().step is None, "the end of its bake", 60)


def test_the_process_kills_itself_at_the_point_and_time_that_a_test_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    (tmp_path / EXPENDABLE).touch()
    with armed({FAIL_AT: "pointed:2"}, tmp_path):
        reached(FailPoint.POINTED)
        reached(FailPoint.DRAINED)
        assert killed == []
        reached(FailPoint.POINTED)
        assert killed == [(os.getpid(), signal.SIGKILL)]


def test_a_service_whose_state_is_not_expendable_goes_on_and_says_that_the_variable_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it ended"))
    with armed({FAIL_AT: "pointed"}, tmp_path):
        reached(FailPoint.POINTED)
    assert [one.message.partition(": it is")[0] for one in caplog.records] == ["TRACKBACK_FAIL_AT=pointed is ignored"]


@pytest.mark.parametrize("text", ["point", "pointed:x", "pointed:-1", ":", "pointed:0"])
def test_a_point_that_there_is_not_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"expected <name>\\[:<nth>\\] with nth of 1 or more, found '{text}': unset it"):
        arm({FAIL_AT: text}, tmp_path)


@contextmanager
def armed(environment: dict[str, str], state: Path) -> Iterator[None]:
    """Disarmed at the end, which no service ever is."""
    before = list(fail_points.TOLD)
    arm(environment, state)
    yield
    fail_points.TOLD[:] = before
