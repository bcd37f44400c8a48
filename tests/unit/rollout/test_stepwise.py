"""A release takes over step by step, and goes back by itself where a step is not good."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from services.contract.control_protocol import Split
from services.contract.deployment import ANALYSIS, Action, Deployment, RetireRequest, StepOrder, StepRequest
from services.contract.errors import LiveChanged, Refused, SteppedBack, Stopped
from services.contract.ledger import JournalEntry, JournalEvent
from services.contract.notification import NotificationKind
from services.contract.rollout_plan import RolloutPlan, Shadow, WhenInconclusive
from services.contract.rollout_step import StepKind, StepStatus
from services.contract.waiting import wait_until
from services.rollout import stepwise
from services.rollout.analysis.figures import Figures, Seen
from services.rollout.model import ModelRollout
from services.rollout.notifier import Notifier
from services.rollout.rollout import Rollout
from services.rollout.state import ModelFiles, Pointer
from services.rollout.steps import takeover
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_fakes import MODEL, FakeMachine, FakeServing, FullDisk, ask_for

BUCKETS = (0.001, 0.01, 0.1, 1.0, float("inf"))
LONG = RolloutPlan(canary=(0.05, 0.25), step=3600.0, bake=0, min_requests=100)
BAKED = RolloutPlan(bake=0.02, min_requests=100)
CANARY = RolloutPlan(canary=(0.05, 0.25), step=0.02, bake=0, min_requests=100)


class Traffic:
    """What a serving counts: each look finds `a_look` more requests."""

    def __init__(self, a_look: int = 2000, errors: float = 0.0, grows: int = 0, restarts: int = 0) -> None:
        self.errors = errors
        self.requests = self.bytes = self.restarts = 0
        self.a_look, self._grows, self._restarts = a_look, grows, restarts

    def __call__(self) -> Seen:
        self.requests += self.a_look
        self.bytes += self._grows
        self.restarts += self._restarts
        failed = int(self.requests * self.errors)
        statuses = {200: self.requests - failed, 500: failed}
        figures = Figures(statuses, dict.fromkeys(BUCKETS, self.requests), {"7": self.requests})
        return Seen(figures, self.bytes, self.restarts)


class Told(Notifier):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str, str]] = []

    def tell(self, event: NotificationKind, deployment: Deployment, summary: str, by: str | None = None) -> None:
        self.told.append((event, deployment.revision, summary))
        super().tell(event, deployment, summary, by)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "PAUSE_SECONDS", 0.005)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[FakeMachine]:
    machine = FakeMachine(tmp_path / "state", tmp_path / "store", free_port())
    machine.state.mkdir()
    yield machine
    machine.close()


def releases(machine: FakeMachine, plan: RolloutPlan) -> list[str]:
    plans = (ReleasePlan(number=number, rollout=plan) for number in (1, 2, 3))
    return [build_release(machine.store, one).digest for one in plans]


def started(machine: FakeMachine, plan: RolloutPlan, sees: Callable[[], Seen]) -> tuple[ModelRollout, list[str]]:
    """With promotion 1 live and counting as usual, and what is started later as `sees` says."""
    digests = releases(machine, plan)
    model = ModelRollout(MODEL, machine.dependencies())
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].sees = Traffic()
    machine.backend.sees = sees
    return model, digests


def events(model: ModelRollout) -> list[tuple[JournalEvent, str]]:
    return [(one.event, one.message) for one in model.traffic.files.entries() if one.event in STEPPED]


STEPPED = (JournalEvent.STEP, JournalEvent.RELEASED)


def live(machine: FakeMachine) -> FakeServing:
    return machine.backend.all[0]


def test_a_good_candidate_gets_each_share_and_then_all(machine: FakeMachine) -> None:
    model, digests = started(machine, CANARY, Traffic())
    model.deploy(ask_for(digests[1]))
    assert machine.backend.accepting() == [digests[1]]
    assert [split and split.share for split in live(machine).splits] == [0.05, None, 0.25, None]
    assert [words for _, words in events(model)] == ["canary of 5% began", "canary of 25% began"]


def test_a_shadow_copies_a_share_of_the_requests(machine: FakeMachine) -> None:
    plan = RolloutPlan(shadow=Shadow(duration=0.02, share=0.5), bake=0, inconclusive=WhenInconclusive.PROMOTE)
    model, digests = started(machine, plan, Traffic())
    model.deploy(ask_for(digests[1]))
    copied, ended = live(machine).splits
    assert copied and copied.shadow and copied.share == 0.5 and ended is None


def test_a_candidate_that_errs_is_taken_back_with_the_figures(machine: FakeMachine) -> None:
    machine.notifier = notifier = Told()
    model, digests = started(machine, CANARY, Traffic(errors=0.05))
    with pytest.raises(Refused, match=r"2-aaaaaaaa was taken back in its canary of 5%: errors: expected at most 1.0%"):
        model.deploy(ask_for(digests[1]))
    assert machine.backend.accepting() == [digests[0]]
    assert machine.backend.loaded() == [digests[0]]
    assert live(machine).split is None
    assert [one.event for one in model.traffic.files.entries()][-1] is JournalEvent.REFUSED
    ((kind, revision, words),) = notifier.told
    assert (kind, revision) == ("taken-back", "2-aaaaaaaa")
    assert words.startswith("2-aaaaaaaa was taken back in its canary of 5%: errors: ")


def test_without_requests_it_waits_and_then_goes_back(machine: FakeMachine) -> None:
    model, digests = started(machine, CANARY.model_copy(update={"wait": 0.05}), Traffic(a_look=0))
    with pytest.raises(Refused, match="0 of at least 100 requests"):
        model.deploy(ask_for(digests[1]))
    assert machine.backend.accepting() == [digests[0]]


def test_what_becomes_live_by_hand_ends_the_steps(machine: FakeMachine) -> None:
    model, digests = started(machine, LONG, Traffic())
    with deploying(model, digests[1]) as refusals:
        status = in_step(model)
        assert (status.step.kind, status.release) == (StepKind.CANARY, digests[1])
        model.retire(RetireRequest(by="grace", reason="no more"))
    assert isinstance(refusals[0], LiveChanged)
    assert machine.backend.loaded() == []
    assert model.state().step is None


def test_a_person_leaves_out_the_rest_of_the_steps(machine: FakeMachine) -> None:
    model, digests = started(machine, LONG, Traffic())
    with deploying(model, digests[1]) as refusals:
        in_step(model)
        model.obey(StepRequest(order=StepOrder.PROMOTE_NOW, by="grace", reason="urgent"))
    assert refusals == []
    assert machine.backend.accepting() == [digests[1]]
    assert events(model)[-1] == (JournalEvent.STEP, "promote-now in its canary of 5%: urgent")


def test_a_person_aborts_a_step(machine: FakeMachine) -> None:
    model, digests = started(machine, LONG, Traffic())
    with deploying(model, digests[1]) as refusals:
        in_step(model)
        model.obey(StepRequest(order=StepOrder.ABORT, by="grace", reason="complaints"))
    assert str(refusals[0]) == "2-aaaaaaaa was taken back: aborted by grace: complaints"
    assert machine.backend.loaded() == [digests[0]]


def test_a_candidate_that_is_aborted_while_it_loads_does_not_go_live(machine: FakeMachine) -> None:
    model, digests = started(machine, BAKED, Traffic())
    machine.backend.may_load = Event()
    order = StepRequest(order=StepOrder.ABORT, by="grace", reason="the stage was cancelled", release=digests[1])
    with deploying(model, digests[1]) as refusals:
        wait_until(lambda: machine.backend.all[1:] and machine.backend.all[1].loading.is_set(), "its load", 30)
        with pytest.raises(Refused, match="expected a release in a step to abort, found none"):
            model.obey(order.model_copy(update={"release": digests[0]}))
        assert model.obey(order) is None
        machine.backend.may_load.set()
    assert isinstance(refusals[0], SteppedBack)
    assert str(refusals[0]) == "2-aaaaaaaa was taken back: aborted by grace: the stage was cancelled"
    assert events(model)[-1] == (JournalEvent.STEP, "abort while it loads: the stage was cancelled")
    assert machine.backend.loaded() == [digests[0]]


def test_a_pause_keeps_it_in_its_step_but_not_what_is_bad(machine: FakeMachine) -> None:
    sees = Traffic(a_look=0)
    model, digests = started(machine, LONG.model_copy(update={"step": 0.05}), sees)
    with deploying(model, digests[1]) as refusals:
        in_step(model)
        status = model.obey(StepRequest(order=StepOrder.PAUSE, by="grace"))
        assert status and status.paused
        sees.a_look = 2000
        wait_until(lambda: sees.requests > 100_000, "fifty looks", 60)
        assert in_step(model).step.share == 0.05
        sees.errors = 0.2
    assert "was taken back in its canary of 5%" in str(refusals[0])


def test_no_order_without_a_step(machine: FakeMachine) -> None:
    model, _ = started(machine, LONG, Traffic())
    with pytest.raises(Refused, match="expected a release in a step to abort, found none"):
        model.obey(StepRequest(order=StepOrder.ABORT, by="grace"))


def test_the_first_release_has_no_steps(machine: FakeMachine) -> None:
    model, digests = started(machine, LONG, Traffic())
    assert machine.backend.accepting() == [digests[0]]
    assert events(model) == []


def test_a_good_bake_ends_as_released(machine: FakeMachine) -> None:
    model, digests = started(machine, BAKED, Traffic())
    model.deploy(ask_for(digests[1]))
    wait_until(lambda: events(model) != [], "the end of the bake", 30)
    assert events(model) == [(JournalEvent.RELEASED, "bake was good")]
    assert machine.backend.accepting() == [digests[1]]


@pytest.mark.parametrize(
    ("order", "sees", "words"),
    [
        (StepOrder.PROMOTE_NOW, Traffic(), "bake was ended by hand"),
        (None, Traffic(a_look=10), "bake is over without a verdict: errors, refused, latency: "),
    ],
)
def test_a_bake_that_was_not_judged_is_not_said_to_be_good(
    machine: FakeMachine, order: StepOrder | None, sees: Traffic, words: str
) -> None:
    plan = BAKED.model_copy(
        update={"bake": 3600.0, "min_requests": 1_000_000} if order else {"min_requests": 1_000_000}
    )
    model, digests = started(machine, plan, sees)
    model.deploy(ask_for(digests[1]))
    if order:
        model.obey(StepRequest(order=order, by="grace", reason="urgent"))
    released = wait_until(
        lambda: [said for what, said in events(model) if what is JournalEvent.RELEASED], "the end", 30
    )
    assert released[0].startswith(words)
    wait_until(lambda: model.state().step is None, "no step", 30)


@pytest.mark.parametrize(
    ("sees", "why"),
    [
        (Traffic(errors=0.05), "errors: expected at most 1.0% more errors than the live release"),
        (Traffic(grows=300 << 20), "memory: expected at most 200 MB gained"),
        (Traffic(restarts=1), "restarts: expected a candidate that stays, found"),
    ],
)
def test_a_bad_bake_goes_back_by_itself_and_says_why(machine: FakeMachine, sees: Traffic, why: str) -> None:
    model, digests = started(machine, BAKED, sees)
    model.deploy(ask_for(digests[1]))
    wait_until(lambda: machine.backend.accepting() == [digests[0]], "the release before", 30)
    wait_until(lambda: model.traffic.live is not None and model.traffic.live.release == digests[0], "its pointer", 30)
    back = model.traffic.live
    assert back and (back.action, back.by) == (Action.ROLLBACK, ANALYSIS)
    assert back.reason.startswith("2-aaaaaaaa was taken back in its bake: ") and why in back.reason


@pytest.mark.parametrize("plan", [BAKED, CANARY])
def test_what_is_bad_goes_back_although_its_lines_cannot_be_written_yet(
    machine: FakeMachine, disk: FullDisk, plan: RolloutPlan
) -> None:
    model, digests = started(machine, plan, Traffic(errors=0.05))
    disk.refuses = lambda line: b"was not good" in line or b'"refused"' in line
    with deploying(model, digests[1]) as refusals:
        pass
    wait_until(lambda: machine.backend.accepting() == [digests[0]], "the release before", 30)
    wait_until(lambda: model.state().step is None, "the end of its bake", 30)
    assert [type(one) for one in refusals] == ([] if plan is BAKED else [SteppedBack])
    disk.refuses = lambda _: False
    assert model.traffic.keep_answering()
    assert [words for event, words in events(model) if words.endswith("was not good")] != []
    assert model.traffic.files.audit().intact


def test_what_cannot_go_back_yet_tries_until_it_can_and_says_so_once(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepwise, "LONGEST_PAUSE_SECONDS", 0.005)
    tries, point = [0], ModelFiles.point

    def point_unless_full(files: ModelFiles, pointer: Pointer) -> None:
        back = pointer.live is not None and pointer.live.action is Action.ROLLBACK
        tries[0] += back
        if back and tries[0] <= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        point(files, pointer)

    monkeypatch.setattr(ModelFiles, "point", point_unless_full)
    model, digests = started(machine, BAKED, Traffic(errors=0.05))
    model.deploy(ask_for(digests[1]))
    wait_until(lambda: not model.state().step, "the end of its bake, which waits for no disk", 30)
    wait_until(lambda: model.traffic.live and model.traffic.live.release == digests[0], "the release before", 30)
    assert (tries, machine.backend.accepting()) == ([4], [digests[0]])
    said = [entry.message for entry in model.traffic.files.entries() if entry.event is JournalEvent.REFUSED]
    assert len(said) == 1
    assert said[0].endswith("[Errno 28] No space left on device")


def test_a_release_that_ends_in_its_bake_is_taken_back(machine: FakeMachine) -> None:
    model, digests = started(machine, BAKED.model_copy(update={"bake": 3600.0}), Traffic())
    model.deploy(ask_for(digests[1]))
    machine.backend.all[1].kill()
    model.steps.wake()
    wait_until(lambda: machine.backend.accepting() == [digests[0]], "the release before", 30)


def test_a_bake_is_taken_up_again_after_a_restart_of_the_service(machine: FakeMachine) -> None:
    model, digests = started(machine, BAKED.model_copy(update={"bake": 3600.0}), Traffic())
    model.deploy(ask_for(digests[1]))
    model.obey(StepRequest(order=StepOrder.PAUSE, by="grace"))
    first, second = machine.backend.all
    second.sees = Traffic(errors=0.2)
    machine.restart([first, second])
    again = ModelRollout(MODEL, machine.dependencies())
    again.traffic.recover(machine.backend.left)
    again.resume_bake()
    assert again.state().step
    wait_until(lambda: machine.backend.accepting() == [digests[0]], "the release before", 30)


@pytest.mark.parametrize("meanwhile", ["ordered", "restarted"])
def test_a_bake_in_which_something_else_was_written_down_is_taken_up_again_too(
    machine: FakeMachine, meanwhile: str
) -> None:
    model, digests = started(machine, BAKED.model_copy(update={"bake": 3600.0, "min_requests": 10**9}), Traffic())
    model.deploy(ask_for(digests[1]))
    if meanwhile == "ordered":
        model.obey(StepRequest(order=StepOrder.PAUSE, by="grace"))
    else:
        model.traffic.record(JournalEvent.RESTARTED, digests[1])
    first, second = machine.backend.all
    machine.restart([first, second])
    again = ModelRollout(MODEL, machine.dependencies())
    again.traffic.recover(machine.backend.left)
    again.resume_bake()
    status = again.state().step
    assert status and (status.step.kind, status.paused) == (StepKind.BAKE, meanwhile == "ordered")
    for one in (model, again):
        one.obey(StepRequest(order=StepOrder.PROMOTE_NOW, by="grace"))


@pytest.mark.parametrize(
    ("orders", "paused", "words"),
    [
        ([StepOrder.PAUSE], True, ""),
        ([StepOrder.PAUSE, StepOrder.RESUME], False, ""),
        ([StepOrder.PAUSE, StepOrder.ABORT], True, "2-aaaaaaaa was taken back: aborted by grace: a campaign: of toys"),
    ],
)
def test_what_a_person_ordered_stands_when_the_steps_begin_anew_with_the_next_service(
    machine: FakeMachine, orders: list[StepOrder], paused: bool, words: str
) -> None:
    model, digests = started(machine, LONG, Traffic())
    for order in orders:
        entry = JournalEntry(
            at=datetime.now(UTC),
            event=JournalEvent.STEP,
            release=digests[1],
            by="grace",
            message=f"{order} in its canary of 5%: a campaign: of toys",
            order=order,
        )
        model.traffic.files.append(entry)
    again = ModelRollout(MODEL, machine.dependencies())
    again.traffic.recover(machine.backend.all)
    with deploying(again, digests[1]) as refusals:
        if not words:
            assert in_step(again).paused is paused
            again.obey(StepRequest(order=StepOrder.ABORT, by="grace"))
    assert str(refusals[0]) == words or not words
    with deploying(again, digests[1]):
        assert not in_step(again).paused, "it was taken back, so that its stage begins another time"
        again.obey(StepRequest(order=StepOrder.ABORT, by="grace"))


def test_a_candidate_of_a_deploy_that_fails_in_its_step_is_ended(machine: FakeMachine, disk: FullDisk) -> None:
    model, digests = started(machine, CANARY, Traffic())
    disk.refuses = lambda line: b'"step"' in line
    with pytest.raises(OSError, match="No space left"):
        model.deploy(ask_for(digests[1]))
    assert machine.backend.loaded() == machine.backend.accepting() == [digests[0]]
    assert live(machine).split is None


def test_a_restart_of_the_service_ends_what_is_handed_on(machine: FakeMachine) -> None:
    started(machine, LONG, Traffic())
    left = live(machine)
    left.split = Split(release="b" * 64, targets=("a",), share=0.5)
    machine.restart([left])
    ModelRollout(MODEL, machine.dependencies()).traffic.recover(machine.backend.left)
    assert left.split is None


@pytest.mark.parametrize("plan", [LONG, BAKED.model_copy(update={"bake": 3600.0})])
def test_what_ends_because_the_service_is_stopped_is_no_verdict(machine: FakeMachine, plan: RolloutPlan) -> None:
    digests = releases(machine, plan)
    rollout = Rollout(machine.dependencies())
    rollout.open()
    rollout.deploy(MODEL, ask_for(digests[0]))
    model = rollout._models[MODEL]
    with deploying(model, digests[1]) as refusals:
        in_step(model)
        rollout.close()
    assert [type(one) for one in refusals] == ([Stopped] if plan is LONG else [])
    wait_until(lambda: model.state().step is None, "the end of its step", 30)
    assert not [entry for entry in model.traffic.files.entries() if entry.event is JournalEvent.REFUSED]
    assert not [words for _, words in events(model) if "was not good" in words]
    live = model.traffic.live
    assert live
    assert live.release == digests[plan is not LONG]


def in_step(model: ModelRollout) -> StepStatus:
    wait_until(lambda: model.state().step is not None, "a step", 30)
    status = model.state().step
    assert status
    return status


@contextmanager
def deploying(model: ModelRollout, digest: str) -> Iterator[list[Refused]]:
    """Ends when the deploy does."""
    refusals: list[Refused] = []

    def deploy() -> None:
        try:
            model.deploy(ask_for(digest))
        except Refused as refused:
            refusals.append(refused)

    thread = Thread(target=deploy)
    thread.start()
    yield refusals
    thread.join(60)
    assert not thread.is_alive()
