"""A loaded release and its doors: a private one for checks, a public one that opens and closes on command."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from starlette.types import ASGIApp

from services.contract import names
from services.contract.control import State, Status
from services.contract.errors import Refused
from services.contract.http_guard import LOOPBACK, Access, Guard
from services.contract.http_protocol import GATEWAY, LIMITS
from services.prediction.app import QUESTIONS, create_app
from services.prediction.door import Door
from services.prediction.predictor import Predictor

SIGNAL_GRACE_SECONDS = 3.0


class Service:
    """`hosts` are the names under which it answers at its public door; the private one is a file of its owner's."""

    def __init__(self, predictor: Predictor, hosts: Sequence[str] = LOOPBACK) -> None:
        manifest = predictor.manifest
        self._release = predictor.release.digest
        self._app: ASGIApp = create_app(predictor)
        self._access = Access(hosts, questions=QUESTIONS, field="error")
        self._headers = {
            names.MODEL_HEADER: manifest.model,
            names.REVISION_HEADER: manifest.revision,
            names.RELEASE_HEADER: self._release,
        }
        self._doors: list[Door] = []
        self._public: Door | None = None
        self._listener: socket.socket | None = None
        self._stop: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()

    @property
    def public_app(self) -> ASGIApp:
        return Guard(self._app, self._access)

    @property
    def listener(self) -> socket.socket | None:
        return self._listener

    def status(self) -> Status:
        state = State.STOPPING if self._stop else State.ACCEPTING if self._public else State.READY
        connections = sum(door.connections for door in self._doors)
        return Status(pid=os.getpid(), release=self._release, state=state, connections=connections)

    async def open_private(self, path: Path) -> None:
        await self._open(Door(self._app, self._headers, GATEWAY, private=path), None)

    async def go(self, listener: socket.socket) -> None:
        """Starts to accept on `listener`; no change when it already accepts."""
        if self._stop:
            raise Refused("expected a process that stays, this one is stopping")
        if self._public:
            listener.close()
            return
        self._public = await self._open(self._public_door(), listener.dup())
        self._listener = listener

    def drain(self) -> None:
        """Gives the listener up; open connections are answered until their clients leave."""
        if self._public:
            self._public.drain()
        if self._listener:
            self._listener.close()
        self._public = self._listener = None

    def stop(self, grace: float) -> None:
        """Drains, and ends after the last connection or `grace` seconds."""
        self._stop = self._stop or asyncio.create_task(self._end(grace))

    def stop_on_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, SIGNAL_GRACE_SECONDS)

    def _public_door(self) -> Door:
        # A gateway asks for many clients over many connections, and has limits of its own for each of them.
        limits = GATEWAY if self._access.any_name else LIMITS
        return Door(self.public_app, self._headers, limits)

    async def _open(self, door: Door, listener: socket.socket | None) -> Door:
        await door.open(listener)
        self._doors = [other for other in self._doors if not other.ended.done()] + [door]
        return door

    async def _end(self, grace: float) -> None:
        self.drain()
        for door in self._doors:
            door.drain()
        await asyncio.wait([door.ended for door in self._doors], timeout=grace)
        for door in self._doors:
            door.should_exit = True
        await asyncio.wait([door.ended for door in self._doors])
        self.stopped.set()
