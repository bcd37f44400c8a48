"""A loaded release and its listeners: a private one for checks, a public one that opens and closes on command."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from starlette.types import ASGIApp

from services.contract import names
from services.contract.control_protocol import ServingState, Status
from services.contract.errors import Refused
from services.contract.http_guard import LOOPBACK, Access, Guard
from services.contract.http_protocol import head_limits
from services.prediction.app import create_app, read_only_paths
from services.prediction.canary.canary import Canary
from services.prediction.canary.private import ForClients
from services.prediction.listener import Listener
from services.prediction.observed.observer import OFF, Observer
from services.prediction.observed.settings import ObservedSettings
from services.prediction.predictor import Predictor
from services.prediction.workers.pulse import Pulse

SIGNAL_GRACE_SECONDS = 3.0


class Service:
    """`hosts` are the names under which the public listener answers; the private one is a file of its owner's.

    `pulses` are this worker's own and those of its siblings, with which it shares the connections.
    """

    def __init__(
        self,
        predictor: Predictor,
        hosts: Sequence[str] = LOOPBACK,
        pulses: tuple[Pulse, Sequence[Pulse]] | None = None,
        settings: ObservedSettings = OFF,
    ) -> None:
        self._pulses = pulses
        # In a container a live release reaches it at its port alone, and the gateway lets no mark of a client's pass.
        self._takes_copies = settings.control is not None
        manifest = predictor.manifest
        self._release = predictor.release.digest
        self._observer = Observer(predictor.release, settings)
        self._app: ASGIApp = create_app(predictor, self._observer.metrics, self._with_canary)
        self._limits = manifest.limits
        self._access = Access(hosts, read_only_paths=read_only_paths(predictor), field="error")
        named = {
            names.MODEL_HEADER: manifest.model,
            names.REVISION_HEADER: manifest.revision,
            names.RELEASE_HEADER: self._release,
        }
        self._headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        self._listeners: list[Listener] = []
        self._public: Listener | None = None
        self._socket: socket.socket | None = None
        self._stop: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()

    @property
    def public_app(self) -> ASGIApp:
        app = Guard(self._app, self._access)
        observed = self._observer.around(app, self._headers)
        if not self._takes_copies:
            return observed
        return ForClients(observed, observed, self._observer.only_counting(app, self._headers))

    def _with_canary(self, app: ASGIApp) -> ASGIApp:
        self.canary = Canary(app, self._observer.count)
        return self.canary

    @property
    def public_socket(self) -> socket.socket | None:
        """What it accepts on, None while it does not accept."""
        return self._socket

    def status(self) -> Status:
        connections = sum(listener.connections for listener in self._listeners)
        return Status(pid=os.getpid(), release=self._release, state=self._state(), connections=connections)

    async def open_private(self, path: Path) -> None:
        limits = head_limits(self._limits, gateway=True)
        app = ForClients(self._app, self._observer.around(self._app), self._observer.only_counting(self._app))
        await self._open(Listener(app, limits, self._headers, named=True, private=path), None)

    async def go(self, accepting: socket.socket) -> None:
        """Starts to accept on a listening socket, which is its own from here on; no change when it already accepts.

        Raises Refused when it is stopping.
        """
        if self._stop:
            raise Refused("expected a process that stays, this one is stopping")
        if self._public:
            accepting.close()
            return
        self._public = await self._open(self._public_listener(), accepting.dup())
        self._socket = accepting

    def drain(self) -> None:
        """Gives the listening socket up; open connections are answered until their clients leave."""
        if self._public:
            self._public.drain()
        if self._socket:
            self._socket.close()
        self._public = self._socket = None

    def stop(self, grace: float) -> None:
        """Drains, and ends after the last connection or `grace` seconds."""
        self._stop = self._stop or asyncio.create_task(self._end(grace))

    def stop_on_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, SIGNAL_GRACE_SECONDS)

    def _state(self) -> ServingState:
        if self._stop:
            return ServingState.STOPPING
        return ServingState.ACCEPTING if self._public else ServingState.READY

    def _public_listener(self) -> Listener:
        # A gateway asks for many clients over many connections, and has limits of its own for each of them.
        limits = head_limits(self._limits, gateway=self._access.any_name)
        return Listener(self.public_app, limits, self._headers, pulses=self._pulses)

    async def _open(self, listener: Listener, accepting: socket.socket | None) -> Listener:
        await listener.open(accepting)
        self._listeners = [other for other in self._listeners if not other.ended.done()] + [listener]
        return listener

    async def _end(self, grace: float) -> None:
        self.drain()
        self.canary.split(None)
        for listener in self._listeners:
            listener.drain()
        # asyncio does not wait for none, which a worker has that was never told to go.
        if ended := [listener.ended for listener in self._listeners]:
            await asyncio.wait(ended, timeout=grace)
            for listener in self._listeners:
                listener.should_exit = True
            await asyncio.wait(ended)
        self._observer.close()
        self.stopped.set()
