"""What answers together: who is let go, who is taken in and who is found again, with fake containers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from services.contract import names
from services.contract.errors import Refused
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


@dataclass(eq=False)
class FakeContainer:
    """Its end is awaited by `removed`."""

    name: str
    address: str
    labels: Mapping[str, str]
    alive: bool = True
    removed: Event = field(default_factory=Event)

    def running(self) -> bool:
        return self.alive

    def last_log_line(self) -> str:
        return "it said nothing"

    def remove(self, seconds: int) -> None:
        assert seconds >= 0
        self.alive = False
        self.removed.set()


@dataclass
class Machine:
    """ContainerBackend of one release, which shall be two."""

    route: Route
    containers: dict[str, FakeContainer] = field(default_factory=dict)

    def run(self, name: str) -> ServingContainer:
        labels = {names.MODEL_LABEL: MODEL, names.RELEASE_LABEL: "a" * 64, names.REPLICAS_LABEL: "2"}
        container = FakeContainer(name, f"{NOBODY}.{len(self.containers) + 1}", labels)
        self.containers[name] = container
        return ServingContainer(cast(Container, container), self.route, load_seconds=1.0)

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
