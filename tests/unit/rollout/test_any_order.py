"""Deploys, rollbacks, retirements, crashes and ends in any order: what is live, what answers and the ledger agree.

Invariants are those of the fault matrix: one release answers, the pointer's (I2); nothing else is left running (I4);
the ledger's chain is whole, and its last change is what is live (I5); what answers has the files of its digest (I6).
`TRACKBACK_TEST_ORDERS=1000` tries that many orders.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import count
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.contract.deployment import Deployment, RetireRequest, RollbackRequest, StepOrder, StepRequest
from services.contract.errors import LiveChanged, Refused
from services.contract.ledger import JournalEvent
from services.contract.rollout_plan import RolloutPlan, WhenInconclusive
from services.contract.waiting import wait_until
from services.rollout.fail_points import FailPoint
from services.rollout.model import ModelRollout
from services.rollout.release_store import ReleaseStore
from services.rollout.state import JournalEntry, Pointer, make_key
from services.rollout.traffic import Dependencies
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_fakes import MODEL, FakeMachine, ask_for
from tests.support.snapshots import Snapshot, taking_snapshots

ORDERS = int(os.environ.get("TRACKBACK_TEST_ORDERS", "12"))
PROMOTIONS = range(1, 6)
# Whose step ends by the order of a person alone.
LONG = 4
promotions = st.sampled_from([one for one in PROMOTIONS if one != LONG])
# Nobody asks, so what a step has seen is inconclusive.
PLAN = RolloutPlan(canary=(0.05,), step=0.001, bake=0, inconclusive=WhenInconclusive.PROMOTE)
OF_A_DEPLOY = (
    FailPoint.CANDIDATE_NOTED,
    FailPoint.CANDIDATE_CHECKED,
    FailPoint.STEP_BEGUN,
    FailPoint.STEPS_OVER,
    FailPoint.WENT,
    FailPoint.DRAINED,
    FailPoint.CONFIRMED,
    FailPoint.POINTED,
    FailPoint.LEDGER_WRITTEN,
)
RETIRE = RetireRequest(by="grace", reason="nobody asks it")


class Killed(BaseException):
    """The rollout service ended here: nothing after it has happened."""


@cache
def built() -> tuple[Path, dict[int, str]]:
    root = Path(tempfile.mkdtemp(prefix="trackback-orders-"))
    plans = {one: PLAN.model_copy(update={"step": 3600.0 if one == LONG else PLAN.step}) for one in PROMOTIONS}
    releases = {one: ReleasePlan(number=one, rollout=plan) for one, plan in plans.items()}
    return root, {one: build_release(root, release).digest for one, release in releases.items()}


@pytest.fixture(scope="module", autouse=True)
def _removed_at_the_end() -> object:
    yield
    shutil.rmtree(built()[0])
    built.cache_clear()


class AnyOrder(RuleBasedStateMachine):
    """`live`, `before`, `retired` and `newest` are promotions, as they should be after what was done."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="trackback-order-"))
        store, self.digests = built()
        self.machine = FakeMachine(self.root, store, free_port())
        make_key(self.root)
        self.live: int | None = None
        self.before: int | None = None
        self.retired: int | None = None
        self.newest = 0
        self.answered: set[int] = set()

    def teardown(self) -> None:
        self.machine.close()
        shutil.rmtree(self.root)

    @initialize()
    def start(self) -> None:
        self._start()

    @rule(number=promotions)
    def deploy(self, number: int) -> None:
        """New, late or once more."""
        if self._may_deploy(number):
            assert self.model.deploy(ask_for(self.digests[number])).number == number
            self._now_live(number)
        elif number == self.live:
            assert self.model.deploy(ask_for(self.digests[number])).number == number
        else:
            self._refused(lambda: self.model.deploy(ask_for(self.digests[number])))

    @rule(number=promotions, verb=st.sampled_from(["wait_ready", "check", "go"]))
    def deploy_what_fails(self, number: int, verb: str) -> None:
        self.machine.backend.refuses = frozenset({verb})
        if number != self.live:
            self._refused(lambda: self.model.deploy(ask_for(self.digests[number])))
        self.machine.backend.refuses = frozenset()

    @rule(number=promotions)
    def deploy_what_says_nothing_in_its_step(self, number: int) -> None:
        if not self.live or not self._may_deploy(number):
            return
        self.machine.backend.refuses = frozenset({"seen"})
        self._refused(lambda: self.model.deploy(ask_for(self.digests[number])))
        self.machine.backend.refuses = frozenset()

    @rule(order=st.sampled_from([StepOrder.PROMOTE_NOW, StepOrder.ABORT]), paused=st.booleans(), late=promotions)
    def ordered_in_its_step(self, order: StepOrder, paused: bool, late: int) -> None:
        """One more deploy waits for it, and is late then."""
        if not self.live or not self._may_deploy(LONG):
            return
        with ThreadPoolExecutor(2) as pool:
            leading = pool.submit(self.model.deploy, ask_for(self.digests[LONG]))
            wait_until(lambda: self.model.state().step is not None or leading.done(), "a step", 60)
            assert len([one for one in self.machine.backend.all if one.running]) <= 3
            if paused:
                status = self.model.obey(StepRequest(order=StepOrder.PAUSE, by="grace"))
                assert status and status.paused
            waiting = pool.submit(self.model.deploy, ask_for(self.digests[late]))
            assert not waiting.done()
            self.model.obey(StepRequest(order=order, by="grace"))
        error = leading.exception()
        assert isinstance(error, Refused) is (order is StepOrder.ABORT), error
        if order is StepOrder.PROMOTE_NOW:
            self._now_live(LONG)
        if not waiting.exception():
            self._now_live(late)

    @rule(number=promotions, point=st.sampled_from(OF_A_DEPLOY))
    def killed_at_a_point_of_a_deploy(self, number: int, point: FailPoint) -> None:
        if not self._may_deploy(number):
            return
        folder = Path(tempfile.mkdtemp(prefix="trackback-killed-"))
        with taking_snapshots(self.machine, folder, {point}) as album:
            self.model.deploy(ask_for(self.digests[number]))
        if point in album.points:
            self._restore(album.taken[0])
        if point not in album.points or point in (FailPoint.POINTED, FailPoint.LEDGER_WRITTEN):
            self._now_live(number)
        shutil.rmtree(folder)

    def _restore(self, snapshot: Snapshot) -> None:
        for one in self.machine.backend.all + self.machine.backend.left:
            one.kill()
        shutil.rmtree(self.root)
        shutil.copytree(snapshot.state, self.root)
        self.machine.restart(snapshot.running)
        self._start()

    @rule(number=promotions)
    def deploy_what_nobody_reaches(self, number: int) -> None:
        self.machine.backend.unreachable = True
        if number != self.live:
            self._refused(lambda: self.model.deploy(ask_for(self.digests[number])))
        self.machine.backend.unreachable = False

    @rule(to=st.none() | promotions)
    def rollback(self, to: int | None) -> None:
        target = to if to is not None else (self.retired or self.before)
        request = RollbackRequest(by="grace", reason="complaints", to=None if to is None else f"{to}-aaaaaaaa")
        if target is None or target not in self.answered:
            self._refused(lambda: self.model.rollback(request))
            return
        assert self.model.plan(request.to).target.number == target
        assert self.model.rollback(request).number == target
        self._now_live(target)

    @rule()
    def retire(self) -> None:
        if self.live is None and self.retired is None:
            self._refused(lambda: self.model.retire(RETIRE))
            return
        self.model.retire(RETIRE)
        self.live, self.retired = None, self.live or self.retired

    @rule(number=promotions, back=st.booleans())
    def change_while_one_loads(self, number: int, back: bool) -> None:
        """A rollback or retirement goes at once, and what was loading then is refused."""
        if not self._may_deploy(number) or (back and not self._is_warm()):
            return
        found: list[Deployment | LiveChanged] = []
        self.machine.backend.may_load.clear()
        started, live = len(self.machine.backend.all), self.live
        loading = Thread(target=self._deploy_into, args=(number, found))
        loading.start()
        while len(self.machine.backend.all) == started:
            assert loading.is_alive()
        self.rollback(None) if back else self.retire()
        self.machine.backend.may_load.set()
        loading.join(60)
        assert isinstance(found[0], LiveChanged) is (self.live != live)
        if self.live == live:
            self._now_live(number)

    @rule(number=promotions, place=st.sampled_from(["candidate", "point", "pointed", "ledger"]))
    def killed_during_a_deploy(self, number: int, place: str) -> None:
        """Up to the pointer the one before is live after it, from the pointer on the new one."""
        if not self._may_deploy(number):
            return
        self._kill_at(place)
        with pytest.raises(Killed):
            self.model.deploy(ask_for(self.digests[number]))
        if place in ("pointed", "ledger"):
            self._now_live(number)
        self._restart()

    @rule()
    def killed_during_a_retirement(self) -> None:
        if self.live is None:
            return
        self._kill_at("pointed")
        with pytest.raises(Killed):
            self.model.retire(RETIRE)
        self.live, self.retired = None, self.live
        self._restart()

    @rule()
    def killed(self) -> None:
        self._restart()

    @rule()
    def everything_ended(self) -> None:
        for serving in self.machine.backend.all + self.machine.backend.left:
            serving.kill()
        self._restart()

    @rule()
    def what_answers_ended(self) -> None:
        for serving in self.machine.backend.all + self.machine.backend.left:
            if serving.accepts_on:
                serving.kill()

    @rule()
    def a_line_was_half_written(self) -> None:
        journal = self.root / MODEL / "journal.jsonl"
        if journal.exists():
            with journal.open("ab") as file:
                file.write(b'{"at":"2026-')
            self._restart()

    @invariant()
    def one_release_answers_and_the_ledger_says_so(self) -> None:
        if not hasattr(self, "model"):
            return
        self.model.traffic.keep_answering()
        assert self.model.traffic.keep_answering()
        live = self.digests[self.live] if self.live else None
        assert self.machine.backend.accepting() == ([live] if live else [])
        loaded = self.machine.backend.loaded()
        kept = {live, self.digests.get(self.before or 0)} if live else set()
        assert len(loaded) == len(set(loaded)) <= 2
        assert set(loaded) <= kept
        assert [one for one in self.machine.backend.all + self.machine.backend.left if one.running and one.split] == []
        self._check_files(live)

    def _check_files(self, live: str | None) -> None:
        state, files = self.model.state(), self.model.traffic.files
        assert (state.live.release if state.live else None) == live
        assert (state.previous.number if state.previous else None) == self.before
        assert files.audit().intact, files.audit().fault
        changes = [one for one in files.entries() if one.event in (JournalEvent.LIVE, JournalEvent.RETIRED)]
        if changes:
            assert (changes[-1].deployment if changes[-1].event is JournalEvent.LIVE else None) == state.live
            assert files.pointer() == self.model.traffic.pointer
        else:
            assert (state.live, state.retired) == (None, None)
        if live:
            ReleaseStore(self.machine.store).find(MODEL, live)
        left = [path for path in self.root.rglob("*") if path.name.startswith(".")]
        assert left == []

    def _may_deploy(self, number: int) -> bool:
        return number > self.newest

    def _is_warm(self) -> bool:
        return self.retired is None and self.before is not None and self.model.plan(None).loaded

    def _now_live(self, number: int) -> None:
        if number == self.live:
            return
        came_from = self.live or self.retired
        if came_from != number:
            self.before = came_from
        self.live, self.retired, self.newest = number, None, max(self.newest, number)
        self.answered.add(number)

    def _deploy_into(self, number: int, found: list[Deployment | LiveChanged]) -> None:
        try:
            found.append(self.model.deploy(ask_for(self.digests[number])))
        except LiveChanged as changed:
            found.append(changed)

    def _refused(self, change: Callable[[], object]) -> None:
        with pytest.raises(Refused):
            change()

    def _kill_at(self, place: str) -> None:
        files = self.model.traffic.files
        point, owe = files.point, files.owe

        def killed(*_: object) -> None:
            raise Killed

        def point_and_die(pointer: Pointer) -> None:
            point(pointer)
            raise Killed

        def owe_unless_live(entry: JournalEntry) -> None:
            if entry.event is JournalEvent.LIVE:
                raise Killed
            owe(entry)

        if place == "candidate":
            self.model.traffic.switch = killed  # type: ignore[method-assign, assignment]
        elif place == "ledger":
            files.owe = owe_unless_live  # type: ignore[method-assign]
        else:
            files.point = killed if place == "point" else point_and_die  # type: ignore[method-assign, assignment]

    def _restart(self) -> None:
        running = [one for one in self.machine.backend.all + self.machine.backend.left if one.running]
        for serving in running:
            serving.refuses = frozenset()
        self.machine.restart(running)
        self._start()

    def _start(self) -> None:
        # Each time it is asked it is an hour later: no pause before a new try is ever on.
        dependencies: Dependencies = self.machine.dependencies(clock=partial(next, count(0.0, 3600.0)))
        self.model = ModelRollout(MODEL, dependencies)
        self.model.traffic.recover(self.machine.backend.adopt())


AnyOrder.TestCase.settings = settings(
    max_examples=ORDERS,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_in_any_order_what_is_live_what_answers_and_the_ledger_agree = AnyOrder.TestCase
