"""Routes one model through the gateway, to the containers of one release at a time."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from services.contract.errors import Refused
from services.contract.waiting import NotInTime, wait_until
from services.rollout.containers.gateway import Gateway, GatewayServer
from services.rollout.containers.slots import Slots

UP_SECONDS = 30.0
DELETE_SECONDS = 2.0


class Route:
    """Every call raises Unreachable when the gateway does not answer, and Refused when it says no."""

    def __init__(self, model: str, gateway: Gateway, slots: Slots, up_seconds: float = UP_SECONDS) -> None:
        self._model = model
        self._gateway = gateway
        self._slots = slots
        self._up_seconds = up_seconds

    def open(self) -> str:
        """Returns the model's slot, to which the gateway sends its requests from here on."""
        slot = self._slots.assign(self._model)
        self._gateway.map_model(self._model, slot)
        return slot

    def routes_to(self, servers: Iterable[str]) -> bool:
        """Whether requests reach at least one of these servers."""
        slot = self._slots.find(self._model)
        return self._gateway.models().get(self._model) == slot and any(self._find(server).up for server in servers)

    def has_server(self, server: str) -> bool:
        return self._find(server) != NO_SERVER

    def route_to(self, addresses: Mapping[str, str]) -> None:
        """Sends requests to these servers alone; no change when that is so already.

        `addresses` are those of the servers, as host:port. Raises Refused when the gateway finds one unwell.
        """
        slot = self.open()
        for server, address in addresses.items():
            self._make_ready(slot, server, address)
        for server in addresses:
            self._wait_until_up(server)
        others = {name: its for name, its in self._gateway.servers(slot).items() if name not in addresses}
        for other, its in others.items():
            if its.up:
                self._set_state(slot, other, "drain")
            elif not its.draining:
                self._remove(slot, other)

    def _wait_until_up(self, server: str) -> None:
        def found() -> str:
            return f"it says {self._find(server).status}"

        wait_until(lambda: self._find(server).up, f"the gateway to find {server} well", self._up_seconds, found=found)

    def _make_ready(self, slot: str, server: str, address: str) -> None:
        if (found := self._find(server)).up or found.draining:
            self._gateway.set_state(slot, server, "ready")
        else:
            self._remove(slot, server)
            self._gateway.add(slot, server, address)

    def drain(self, server: str) -> None:
        """Sends it no new requests; it stays in the gateway."""
        if self._find(server).up:
            self._set_state(self._slot(), server, "drain")

    def take_out(self, server: str, grace: float) -> None:
        """Returns after the last request to it was answered, or after `grace` seconds."""
        self.drain(server)
        with suppress(NotInTime):
            wait_until(lambda: not self._find(server).requests, f"the last request to {server}", grace)
        if self._find(server) != NO_SERVER:
            self._set_state(self._slot(), server, "maint")

    def remove(self, server: str) -> None:
        with suppress(NotInTime):
            wait_until(lambda: self._remove(self._slot(), server), f"the gateway to delete {server}", DELETE_SECONDS)

    def _remove(self, slot: str, server: str) -> bool:
        if self._find(server) == NO_SERVER:
            return True
        self._set_state(slot, server, "maint")
        return self._gateway.delete(slot, server)

    def _set_state(self, slot: str, server: str, state: str) -> None:
        try:
            self._gateway.set_state(slot, server, state)
        except Refused:
            # The end of its container may have removed it meanwhile.
            if self._find(server) != NO_SERVER:
                raise

    def _find(self, server: str) -> GatewayServer:
        slot = self._slots.find(self._model)
        return self._gateway.servers(slot).get(server, NO_SERVER) if slot else NO_SERVER

    def _slot(self) -> str:
        return self._slots.find(self._model) or ""


NO_SERVER = GatewayServer("nowhere", 0)
