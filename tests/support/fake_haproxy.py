"""HAProxy's runtime API as far as the rollout uses it; the replies were recorded from HAProxy 2.6.12."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

COLUMNS = ("pxname", "svname", "qcur", "scur", "status")


@dataclass
class FakeServer:
    address: str
    status: str = "MAINT"
    checked: bool = False
    requests: int = 0


@dataclass
class FakeHaproxy:
    """`unwell` are addresses whose health checks fail; `stuck` are servers that connections never leave. The server of
    the command `forgets_before` is deleted by somebody else just before it."""

    slots: tuple[str, ...] = ("slot-01", "slot-02")
    models: dict[str, str] = field(default_factory=dict)
    servers: dict[str, FakeServer] = field(default_factory=dict)
    unwell: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)
    forgets_before: str = ""

    def reply(self, command: str) -> str:
        self.heard.append(command)
        if command == self.forgets_before:
            del self.servers[command.split()[2]]
        match command.split():
            case ["show", "backend"]:
                return "\n".join(("# name", *self.slots)) + "\n\n"
            case ["show", "stat", slot, "4", "-1"]:
                return self._statistics(slot)
            case [verb, "map", _, *words]:
                return self._map(verb, *words)
            case ["add", "server", name, address, *_]:
                return self._add(name, address)
            case [verb, "server" | "health" as what, name, *words]:
                return self._change(f"{verb} {what}", name, *words)
        return f"Unknown command: '{command}'\n"

    def forget_everything(self) -> None:
        self.models.clear()
        self.servers.clear()

    def statuses(self) -> dict[str, str]:
        return {name: server.status for name, server in self.servers.items()}

    def _map(self, verb: str, model: str = "", slot: str = "") -> str:
        match verb:
            case "show":
                return "".join(f"0x{id(known):x} {known} {its}\n" for known, its in self.models.items()) + "\n"
            case "del":
                return "\n" if self.models.pop(model, None) else "Key not found.\n\n"
            case "set" if model not in self.models:
                return "entry not found.\n\n"
            case "set":
                self.models[model] = slot
            case "add":
                # Of two entries with one key the first counts.
                self.models.setdefault(model, slot)
        return "\n"

    def _statistics(self, slot: str) -> str:
        if slot not in self.slots:
            return "No such proxy.\n\n"
        rows = [
            ",".join((slot, name.partition("/")[2], "0", str(server.requests), server.status))
            for name, server in self.servers.items()
            if name.startswith(f"{slot}/")
        ]
        return "\n".join((f"# {','.join(COLUMNS)}", *rows)) + "\n\n"

    def _add(self, name: str, address: str) -> str:
        if name in self.servers:
            return "Already exists a server with the same name in backend.\n\n"
        self.servers[name] = FakeServer(address)
        return "New server registered.\n\n"

    def _change(self, what: str, name: str, *words: str) -> str:
        if name not in self.servers:
            return "No such server.\n\n"
        if what == "del server":
            return self._delete(name)
        server = self.servers[name]
        if what == "enable health":
            server.checked = True
        else:
            well = server.checked and server.address not in self.unwell
            states = {"ready": "UP 1/2" if well else "DOWN", "drain": "DRAIN", "maint": "MAINT"}
            server.status = states["ready" if what == "enable server" else words[1]]
        return "\n"

    def _delete(self, name: str) -> str:
        if self.servers[name].status != "MAINT":
            return "Only servers in maintenance mode can be deleted.\n"
        if name in self.stuck:
            return "GatewayServer still has connections attached to it, cannot remove it.\n"
        del self.servers[name]
        return "GatewayServer deleted.\n\n"


@contextmanager
def answering(haproxy: FakeHaproxy) -> Iterator[str]:
    """Its address."""

    class Runtime(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(haproxy.reply(self.rfile.readline().decode().strip()).encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Runtime) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
