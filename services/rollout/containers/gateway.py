"""HAProxy's runtime API: which server answers in which slot, and which model is which slot."""

import csv
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.contract.errors import Refused
from services.rollout.serving import Unreachable

ANSWER_SECONDS = 2.0
MAP = "/usr/local/etc/haproxy/models.map"
# An entry that is no path of a model: it says that the map holds every model that the rollout service knows.
PUBLISHED = "/told"
# Checks are for containers that hang: one that ends is taken out by the engine's word. Pools, because a server that was
# added while HAProxy runs otherwise opens a connection for every request.
SERVER_OPTIONS = "check inter 2s fastinter 100ms rise 1 fall 2 maxconn 100 pool-max-conn 64 pool-purge-delay 200ms"
_ONLY_SERVERS = "4 -1"


@dataclass(frozen=True)
class GatewayServer:
    """`status` in HAProxy's words; `requests` counts the requests that it answers or that wait for it."""

    status: str
    requests: int

    @property
    def up(self) -> bool:
        return self.status.startswith("UP")

    @property
    def draining(self) -> bool:
        """Takes no new requests, and stays in its slot."""
        return self.status.startswith("DRAIN")


class Gateway:
    """Every call raises Unreachable when HAProxy does not answer, and Refused when it says no."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise Refused(f"expected the gateway's runtime API as host:port, found '{address}'")
        self._address = (host, int(port))

    def slots(self) -> list[str]:
        return [line for line in self._ask("show backend").splitlines()[1:] if line.startswith("slot-")]

    def models(self) -> dict[str, str]:
        """The slot of every model that the gateway knows."""
        return {model: slot for model, slot in self._map().items() if model != PUBLISHED}

    def publish(self, slots: Mapping[str, str]) -> None:
        """Maps every model there is to its slot; from here on the gateway answers 404 for any other."""
        known = self._map()
        for model, slot in slots.items():
            if known.get(model) != slot:
                self.map_model(model, slot)
        if PUBLISHED not in known:
            self._run(f"add map {MAP} {PUBLISHED} yes")

    def wait_until_lost(self) -> None:
        """Returns when HAProxy ends, or when it has heard nothing for as long as it waits."""
        try:
            with socket.create_connection(self._address, timeout=ANSWER_SECONDS) as connection:
                connection.settimeout(None)
                connection.recv(1)
        except OSError as error:
            raise self._unreachable(error) from error

    def map_model(self, model: str, slot: str) -> None:
        known = self.models().get(model)
        if known != slot:
            self._run(f"{'set' if known else 'add'} map {MAP} {model} {slot}")

    def unmap_model(self, model: str) -> None:
        self._run(f"del map {MAP} {model}", lambda reply: reply in ("", "Key not found."))

    def servers(self, slot: str) -> dict[str, GatewayServer]:
        listed = csv.DictReader(self._ask(f"show stat {slot} {_ONLY_SERVERS}").removeprefix("# ").splitlines())
        return {row["svname"]: GatewayServer(row["status"], int(row["scur"]) + int(row["qcur"])) for row in listed}

    def add(self, slot: str, server: str, address: str) -> None:
        """The server takes requests from here on, if HAProxy finds it well."""
        self._run(f"add server {slot}/{server} {address} {SERVER_OPTIONS}", lambda reply: "registered" in reply)
        self._run(f"enable health {slot}/{server}")
        self._run(f"enable server {slot}/{server}")

    def set_state(self, slot: str, server: str, state: str) -> None:
        """`state` is `ready`, `drain` or `maint` (maintenance)."""
        self._run(f"set server {slot}/{server} state {state}")

    def delete(self, slot: str, server: str) -> bool:
        """False while connections are attached to it."""
        return "deleted" in self._ask(f"del server {slot}/{server}")

    def _map(self) -> dict[str, str]:
        rows = [line.split() for line in self._ask(f"show map {MAP}").splitlines() if line]
        return {row[1]: row[2] for row in rows}

    def _run(self, command: str, accepts: Callable[[str], bool] = lambda reply: not reply) -> None:
        if not accepts(reply := self._ask(command)):
            raise Refused(f"the gateway refused '{command}': {reply}")

    def _ask(self, command: str) -> str:
        try:
            with socket.create_connection(self._address, timeout=ANSWER_SECONDS) as connection:
                connection.sendall(f"{command}\n".encode())
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile() as answer:
                    reply = answer.read().strip()
        except OSError as error:
            raise self._unreachable(error) from error
        return reply

    def _unreachable(self, error: OSError) -> Unreachable:
        name = ":".join(map(str, self._address))
        return Unreachable(f"expected the gateway's runtime API at {name}, cannot reach it: {error}")
