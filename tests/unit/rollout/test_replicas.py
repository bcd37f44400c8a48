"""What answers together: who is let go, taken in, found again, told and counted, with fake containers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from services.contract import names
from services.contract.control_protocol import Command, Reply, ServingState, Split, Status
from services.contract.errors import Refused
from services.rollout.analysis.figures import Figures, Seen
from services.rollout.containers.engine import Container
from services.rollout.containers.gateway import Gateway
from services.rollout.containers.replicas import Replicas
from services.rollout.containers.route import Route
from services.rollout.containers.serving_container import ServingContainer
from services.rollout.containers.slots import Slots
from tests.support.fake_haproxy import FakeHaproxy, answering

MODEL = "diamond-price"
# Loopback, where nothing listens.
NOBODY = "127.99.99"
SPLIT = Split(release="b" * 64, targets=("10.1.2.3:8000",), share=0.5)
OBEYS = Reply(status=Status(pid=7, release="a" * 64, state=ServingState.ACCEPTING, connections=0))


@dataclass(eq=False)
class FakeContainer:
    """Its end is awaited by `removed`; what it was told is in `told`, and it `replies`, if it does."""

    name: str
    address: str
    labels: Mapping[str, str]
    alive: bool = True
    replies: Reply | None = OBEYS
    told: list[Split | None] = field(default_factory=list)
    counts: Seen = Seen()
    removed: Event = field(default_factory=Event)

    def running(self) -> bool:
        return self.alive

    def last_log_line(self) -> str:
        return "it said nothing"

    def ask(self, command: Sequence[str]) -> str:
        if not self.replies:
            raise Refused(f"{self.name}: nobody answers")
        self.told.append(Command.from_json(command[-1]).split)
        return self.replies.model_dump_json()

    def remove(self, seconds: int) -> None:
        assert seconds >= 0
        self.alive = False
        self.removed.set()


class Counting(ServingContainer):
    """Without the request for its metrics."""

    def seen(self) -> Seen:
        fake = cast(FakeContainer, self._container)
        if fake.replies:
            return fake.counts
        raise Refused(f"{self.name}: nobody answers")


@dataclass
class Machine:
    """ContainerBackend of one release, which shall be two; an `old` image takes no commands."""

    route: Route
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    old: bool = False

    def run(self, name: str) -> ServingContainer:
        labels = {names.MODEL_LABEL: MODEL, names.RELEASE_LABEL: "a" * 64, names.REPLICAS_LABEL: "2"}
        labels |= {} if self.old else {names.CONTROL_LABEL: "True"}
        container = FakeContainer(name, f"{NOBODY}.{len(self.containers) + 1}", labels)
        self.containers[name] = container
        return Counting(cast(Container, container), self.route, load_seconds=1.0)

    def replicas(self, *names: str) -> Replicas:
        return Replicas([self.run(name) for name in names], self.route)


@pytest.fixture
def haproxy() -> FakeHaproxy:
    return FakeHaproxy()


@pytest.fixture
def machine(haproxy: FakeHaproxy, tmp_path: Path) -> Iterator[Machine]:
    with answering(haproxy) as address:
        gateway = Gateway(address)
        yield Machine(Route(MODEL, gateway, Slots(tmp_path, gateway), up_seconds=0.1))


def test_a_dead_replica_is_let_go_and_the_other_answers_on(haproxy: FakeHaproxy, machine: Machine) -> None:
    both = machine.replicas("one", "two")
    both.go()
    machine.containers["one"].alive = False
    haproxy.stuck = {"slot-01/one"}
    both.drop_ended()
    assert haproxy.statuses() == {"slot-01/one": "MAINT", "slot-01/two": "UP 1/2"}
    assert (both.alive(), both.complete()) == (True, False)
    assert machine.containers["one"].removed.wait(20)
    assert not machine.containers["two"].removed.is_set()


def test_a_spare_answers_beside_what_is_left(haproxy: FakeHaproxy, machine: Machine) -> None:
    one = machine.replicas("one")
    one.go()
    one.add(machine.replicas("two"))
    assert haproxy.statuses() == {"slot-01/one": "UP 1/2", "slot-01/two": "UP 1/2"}
    assert one.complete()


def test_a_spare_that_the_gateway_finds_unwell_is_none_of_us_and_what_is_left_answers_on(
    haproxy: FakeHaproxy, machine: Machine
) -> None:
    one, two = machine.replicas("one"), machine.replicas("two")
    one.go()
    haproxy.unwell = {f"{machine.containers['two'].address}:8000"}
    with pytest.raises(Refused, match="expected the gateway to find two well"):
        one.add(two)
    assert not one.complete()
    two.kill()
    assert haproxy.statuses() == {"slot-01/one": "UP 1/2"}
    assert (one.alive(), machine.containers["two"].alive) == (True, False)


def test_a_container_that_was_loading_when_its_service_ended_is_not_in_use(machine: Machine) -> None:
    loading, answers, rests = (machine.run(name) for name in ("loading", "answers", "rests"))
    Replicas([rests], machine.route).go()
    Replicas([answers], machine.route).go()
    assert [one.in_use() for one in (loading, answers, rests)] == [False, True, True]


def test_what_is_forgotten_while_another_takes_over_is_no_refusal(haproxy: FakeHaproxy, machine: Machine) -> None:
    machine.replicas("old").go()
    haproxy.forgets_before = "set server slot-01/old state drain"
    machine.replicas("new").go()
    assert haproxy.statuses() == {"slot-01/new": "UP 1/2"}


def test_all_replicas_are_told_and_one_that_comes_later_before_it_answers(
    haproxy: FakeHaproxy, machine: Machine
) -> None:
    both = machine.replicas("one", "two")
    both.hand_on(SPLIT)
    both.add(machine.replicas("three"))
    both.hand_on(None)
    both.add(machine.replicas("four"))
    assert [one.told for one in machine.containers.values()] == [[SPLIT, None]] * 3 + [[]]
    five = machine.replicas("five")
    haproxy.unwell = set(five.targets())
    both.hand_on(SPLIT)
    with pytest.raises(Refused, match="to find five well"):
        both.add(five)
    assert machine.containers["five"].told == [SPLIT]


def test_what_one_replica_refuses_none_does(machine: Machine) -> None:
    both = machine.replicas("one", "two")
    for refusal, words in ((Reply(error="it is stopping"), "two refused 'split': it is stopping"), (None, "nobody")):
        machine.containers["two"].replies = refusal
        with pytest.raises(Refused, match=words):
            both.hand_on(SPLIT)
        assert machine.containers["one"].told[-2:] == [SPLIT, None]
    both.add(machine.replicas("three"))
    assert machine.containers["three"].told == []


def test_a_replica_that_ends_while_it_is_told_is_no_refusal(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    both, ending = machine.replicas("one", "two"), machine.containers["one"]

    def end(_: Sequence[str]) -> str:
        ending.alive = False
        raise Refused("it has gone")

    monkeypatch.setattr(ending, "ask", end)
    both.hand_on(SPLIT)
    assert machine.containers["two"].told == [SPLIT]


def test_a_live_release_in_an_image_from_before_is_refused_with_what_to_do_and_adopted_as_it_is(
    machine: Machine,
) -> None:
    machine.old = True
    both = machine.replicas("one", "two")
    with pytest.raises(Refused, match="found aaaaaaaaaaaa… in an image from before: promote without shadow and canary"):
        both.hand_on(SPLIT)
    both.hand_on(None)
    assert [one.told for one in machine.containers.values()] == [[], []]


def counted(requests: int, megabytes: int = 0, restarts: int = 0) -> Seen:
    return Seen(Figures(statuses={200: requests}), megabytes << 20, restarts)


def test_replicas_count_together_and_no_figure_goes_back_when_one_ends_or_comes(machine: Machine) -> None:
    both = machine.replicas("one", "two")
    one, two = machine.containers.values()
    one.counts, two.counts = counted(10, 200), counted(20, 100, restarts=1)
    seen = both.seen()
    assert (seen.figures.requests, seen.resident_bytes, seen.restarts) == (30, 200 << 20, 1)
    two.alive = False
    for _ in range(2):
        now = both.seen()
        side = now.side(seen)
        assert (now.figures.requests, side.requests, side.restarts, now.restarts) == (30, 0, 1, 2)
    both.drop_ended()
    both.add(machine.replicas("three"))
    machine.containers["three"].counts = counted(5, 190)
    now = both.seen()
    assert (now.figures.requests, now.resident_bytes, now.restarts) == (35, 200 << 20, 2)


def test_a_replica_that_does_not_come_in_is_counted_by_nobody(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machine.replicas("one"), machine.replicas("two")
    machine.containers["two"].counts = counted(7)

    def unwell(_: Mapping[str, str]) -> None:
        assert one.seen().figures.requests == 0
        raise Refused("it is unwell")

    monkeypatch.setattr(machine.route, "route_to", unwell)
    with pytest.raises(Refused, match="it is unwell"):
        one.add(two)
    assert (one.seen().figures.requests, one.seen().restarts) == (0, 0)


def test_a_replica_that_lives_and_is_silent_is_a_refusal_and_so_are_none(machine: Machine) -> None:
    both = machine.replicas("one", "two")
    machine.containers["two"].replies = None
    with pytest.raises(Refused, match="two: nobody answers"):
        both.seen()
    machine.containers["two"].alive = machine.containers["one"].alive = False
    with pytest.raises(Refused, match="expected a container that answers, found none"):
        both.seen()
