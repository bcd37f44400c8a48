"""What the rollout tells HAProxy, with a fake runtime API, and the configuration that it finds there."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer

import pytest

from services.contract.errors import Refused
from services.contract.http_protocol import GATEWAY, LIMITS
from services.prediction.invalid import Problem
from services.rollout.containers.gateway import MAP, PUBLISHED, Gateway
from services.rollout.containers.route import Route
from services.rollout.containers.slots import Slots
from services.rollout.serving import Unreachable
from services.rollout.state import Address, ModelFiles
from tests.support.fake_haproxy import FakeHaproxy, FakeServer, answering
from tests.support.paths import ROOT
from tests.support.ports import free_port

MODEL = "diamond-price"
OLD, NEW = "172.30.0.3:8000", "172.30.0.4:8000"
CONFIGURATION = ROOT / "services" / "gateway"


@pytest.fixture
def haproxy() -> FakeHaproxy:
    return FakeHaproxy()


@pytest.fixture
def gateway(haproxy: FakeHaproxy) -> Iterator[Gateway]:
    with answering(haproxy) as address:
        yield Gateway(address)


@pytest.fixture
def slots(tmp_path: Path, gateway: Gateway) -> Slots:
    return Slots(tmp_path, gateway)


@pytest.fixture
def route(gateway: Gateway, slots: Slots) -> Route:
    return Route(MODEL, gateway, slots)


def test_a_server_takes_over_and_the_one_before_rests(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"old": OLD})
    route.route_to({"new": NEW})
    assert haproxy.models == {MODEL: "slot-01"}
    assert haproxy.statuses() == {"slot-01/old": "DRAIN", "slot-01/new": "UP 1/2"}
    assert haproxy.servers["slot-01/new"].address == NEW
    assert (route.routes_to(["old"]), route.routes_to(["new"])) == (False, True)


def test_a_server_that_rests_takes_over_again_without_being_added_again(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"old": OLD})
    route.route_to({"new": NEW})
    route.route_to({"old": OLD})
    assert haproxy.statuses() == {"slot-01/old": "UP 1/2", "slot-01/new": "DRAIN"}
    assert len([command for command in haproxy.heard if command.startswith("add server")]) == 2


def test_what_a_gateway_forgot_is_told_again(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"new": NEW})
    haproxy.forget_everything()
    assert not route.routes_to(["new"])
    route.route_to({"new": NEW})
    assert route.routes_to(["new"])
    assert haproxy.models == {MODEL: "slot-01"}


def test_a_model_that_was_sent_elsewhere_is_sent_to_its_slot(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"new": NEW})
    haproxy.models[MODEL] = "slot-02"
    assert not route.routes_to(["new"])
    route.route_to({"new": NEW})
    assert haproxy.models == {MODEL: "slot-01"}


def test_a_server_that_was_left_half_added_is_added_anew(haproxy: FakeHaproxy, route: Route) -> None:
    haproxy.servers["slot-01/new"] = FakeServer(OLD)
    route.route_to({"new": NEW})
    assert haproxy.servers == {"slot-01/new": FakeServer(NEW, "UP 1/2", checked=True)}


def test_servers_of_containers_that_have_gone_are_cleared_away(haproxy: FakeHaproxy, route: Route) -> None:
    haproxy.servers |= {f"slot-01/{status}": FakeServer(OLD, status) for status in ("DOWN", "MAINT", "DRAIN")}
    haproxy.servers["slot-02/of-another-model"] = FakeServer(OLD, "DOWN")
    route.route_to({"new": NEW})
    assert set(haproxy.servers) == {"slot-01/DRAIN", "slot-01/new", "slot-02/of-another-model"}


def test_a_server_that_haproxy_finds_unwell_is_refused_and_the_one_before_answers_on(
    haproxy: FakeHaproxy, gateway: Gateway, slots: Slots
) -> None:
    route = Route(MODEL, gateway, slots, up_seconds=0.1)
    route.route_to({"old": OLD})
    haproxy.unwell = {NEW}
    with pytest.raises(Refused, match="expected the gateway to find new well within 0.1 s, it says DOWN"):
        route.route_to({"new": NEW})
    assert haproxy.statuses()["slot-01/old"] == "UP 1/2"


def test_a_server_is_left_after_its_last_request(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"old": OLD})
    server = haproxy.servers["slot-01/old"]
    server.requests = 1
    answered = Timer(0.1, setattr, (server, "requests", 0))
    answered.start()
    route.take_out("old", grace=20)
    assert (server.requests, server.status) == (0, "MAINT")
    route.remove("old")
    assert haproxy.servers == {}


def test_a_request_that_does_not_end_is_given_the_grace_and_no_more(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"old": OLD})
    haproxy.servers["slot-01/old"].requests = 1
    started = time.monotonic()
    route.take_out("old", grace=0.2)
    assert time.monotonic() - started >= 0.2
    assert haproxy.statuses() == {"slot-01/old": "MAINT"}


def test_a_server_that_is_not_there_is_left_and_forgotten_without_a_word(haproxy: FakeHaproxy, route: Route) -> None:
    route.drain("nobody")
    route.take_out("nobody", grace=20)
    route.remove("nobody")
    assert [command for command in haproxy.heard if not command.startswith("show")] == []


def test_every_model_has_a_slot_of_its_own_that_stays(
    gateway: Gateway, slots: Slots, tmp_path: Path, haproxy: FakeHaproxy
) -> None:
    assert [slots.assign(model) for model in (MODEL, "language-id", MODEL)] == ["slot-01", "slot-02", "slot-01"]
    assert Slots(tmp_path, gateway).find("language-id") == "slot-02"
    with pytest.raises(Refused, match="free slot of the gateway for flight-delay, all 2 are other models'"):
        slots.assign("flight-delay")
    Route("language-id", gateway, slots).route_to({"its": OLD})
    assert list(haproxy.servers) == ["slot-02/its"]


def test_a_models_port_is_kept_when_it_gets_a_slot(slots: Slots, tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, MODEL)
    files.assign(Address(port=8200))
    slots.assign(MODEL)
    assert files.address() == Address(port=8200, slot="slot-01")


def test_a_model_can_be_forgotten_and_forgotten_again(haproxy: FakeHaproxy, gateway: Gateway, route: Route) -> None:
    route.open()
    gateway.unmap_model(MODEL)
    gateway.unmap_model(MODEL)
    assert haproxy.models == {}


def test_two_replicas_answer_together_and_the_release_before_rests(haproxy: FakeHaproxy, route: Route) -> None:
    route.route_to({"old": OLD})
    route.route_to({"new": NEW, "newer": OLD})
    assert haproxy.statuses() == {"slot-01/old": "DRAIN", "slot-01/new": "UP 1/2", "slot-01/newer": "UP 1/2"}
    haproxy.servers["slot-01/new"].status = "DOWN"
    assert route.routes_to(["new", "newer"])
    route.route_to({"newer": OLD})
    assert haproxy.statuses() == {"slot-01/old": "DRAIN", "slot-01/newer": "UP 1/2"}


def test_a_gateway_is_told_all_models_once_and_then_that_these_are_all(haproxy: FakeHaproxy, gateway: Gateway) -> None:
    slots = {MODEL: "slot-01", "language-id": "slot-02"}
    for _ in range(2):
        gateway.publish(slots)
    assert gateway.models() == slots
    assert [said.split()[-2] for said in haproxy.heard if said.startswith("add map")] == [*slots, PUBLISHED]
    haproxy.forget_everything()
    gateway.publish(slots)
    assert haproxy.models == {**slots, PUBLISHED: "yes"}


def test_the_end_of_the_gateway_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = Gateway(f"127.0.0.1:{listener.getsockname()[1]}")
        waiting = Thread(target=gateway.wait_until_lost)
        waiting.start()
        connection = listener.accept()[0]
        assert waiting.is_alive()
        connection.close()
        waiting.join(20)
        assert not waiting.is_alive()
    with pytest.raises(Unreachable, match="cannot reach it"):
        gateway.wait_until_lost()


def test_what_haproxy_refuses_is_said_in_its_words(gateway: Gateway) -> None:
    with pytest.raises(Refused, match="refused 'set server slot-01/nobody state drain': No such server"):
        gateway.set_state("slot-01", "nobody", "drain")
    with pytest.raises(Refused, match="as host:port, found 'gateway'"):
        Gateway("gateway")


def test_a_gateway_that_is_not_there_is_nobodys_fault(tmp_path: Path) -> None:
    gateway = Gateway(f"127.0.0.1:{free_port()}")
    ModelFiles(tmp_path, MODEL).assign(Address(slot="slot-01"))
    with pytest.raises(Unreachable, match="cannot reach it: .*refused"):
        Route(MODEL, gateway, Slots(tmp_path, gateway)).route_to({"new": NEW})


def configuration() -> str:
    return (CONFIGURATION / "haproxy.cfg").read_text()


def test_the_configuration_has_the_map_and_slots_that_the_rollout_looks_for() -> None:
    assert f"path,field(3,/),map({MAP})" in configuration()
    assert f"str({PUBLISHED}),map({MAP})" in configuration()
    assert (CONFIGURATION / Path(MAP).name).read_bytes() == b""
    slots = re.findall(r"^backend (\S+) from slot$", configuration(), re.MULTILINE)
    assert slots == [f"slot-{number:02d}" for number in range(1, 33)]


def test_the_gateway_has_the_limits_of_the_services_behind_it() -> None:
    limits = [
        f"tune.bufsize {LIMITS.size}",
        f"tune.http.maxhdr {LIMITS.lines}",
        f"timeout http-request {LIMITS.seconds:g}s",
        f"timeout http-keep-alive {LIMITS.idle_seconds:g}s",
        "option disable-h2-upgrade",
    ]
    assert [line for line in limits if f"    {line}\n" not in configuration()] == []
    places = int(re.findall(r"^    maxconn (\d+)$", configuration(), re.MULTILINE)[0])
    for_one = int(re.findall(r"tcp-request connection reject if { sc0_conn_cur gt (\d+) }", configuration())[0])
    assert for_one <= places / 2
    assert GATEWAY.connections >= places


def test_the_gateways_own_errors_have_the_form_of_the_prediction_services() -> None:
    said = re.findall(r"status (\d+) content-type application/json string '(.*?)'", configuration())
    assert sorted({status for status, _ in said}) == ["400", "404", "408", "502", "503", "504"]
    assert [problem for _, body in said if (problem := Problem.model_validate(json.loads(body))).problems] == []
