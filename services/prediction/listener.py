"""uvicorn's server on one listening socket, which can stop accepting while its connections go on."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from services.contract.http_protocol import HeadLimits, limited
from services.prediction.workers.acceptor import Acceptor, ShownConnections
from services.prediction.workers.pulse import Pulse

BACKLOG = 2048
_EMPTY_TICKS = 10


class Listener(uvicorn.Server):
    """Without uvicorn's signal handlers; `headers` go with its own errors, and where it is `named` with every answer.

    `private` is the path of a unix socket to accept on. `pulses` are this worker's and its siblings', which share a
    public one.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: HeadLimits,
        headers: Sequence[tuple[bytes, bytes]],
        named: bool = False,
        private: Path | None = None,
        pulses: tuple[Pulse, Sequence[Pulse]] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                uds=str(private) if private else None,
                headers=[*_texts(headers if named else ()), ("Keep-Alive", f"timeout={limits.idle_seconds:g}")],
                http=limited(limits, () if named else headers),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # For who writes an address: see `create_app`.
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=1,
            )
        )
        self._draining = False
        self._empty_ticks = 0
        self._siblings: Sequence[Pulse] = ()
        if pulses:
            self._own, self._siblings = pulses
            self.server_state.connections = ShownConnections(self._own)

    @property
    def connections(self) -> int:
        return len(self.server_state.connections)

    async def open(self, accepting: socket.socket | None = None) -> None:
        """Accepts from here on, on a listening socket that is closed at the end, or on the private one."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        self.server_state.default_headers = list(self.config.encoded_headers)
        sockets = [accepting] if accepting else None
        await self.startup(sockets)
        self.ended = asyncio.create_task(self._run(sockets))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if not sockets or not self._siblings:
            await super().startup(sockets)
            return
        self.servers = [Acceptor(one, self._protocol, self._own, self._siblings) for one in sockets]  # type: ignore[misc]
        self.started = True

    def drain(self) -> None:
        """Accepts no more, and answers with `Connection: close`, so that no client meets a closed connection."""
        if self._draining:
            return
        self._draining = True
        for server in self.servers:
            server.close()
        for headers in (self.config.encoded_headers, self.server_state.default_headers):
            headers.append((b"connection", b"close"))

    async def on_tick(self, counter: int) -> bool:
        # A connection may be accepted and not counted yet, so empty means empty for a second.
        self._empty_ticks = 0 if self.connections else self._empty_ticks + 1
        if self._draining and self._empty_ticks >= _EMPTY_TICKS:
            self.should_exit = True
        return await super().on_tick(counter)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def _run(self, sockets: list[socket.socket] | None) -> None:
        await self.main_loop()
        await self.shutdown(sockets)


def _texts(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in headers]
