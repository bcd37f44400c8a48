"""uvicorn without its pauses: it looks ten times a second whether it is to end, and then waits a tenth more."""

import asyncio
import socket
import threading

import uvicorn

from tests.support.poll import PATIENCE


class AsgiServer(uvicorn.Server):
    """Ends when it is told to. What is being answered is answered, and connections are closed."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = threading.Event()

    async def main_loop(self) -> None:
        self._loop, self._left = asyncio.get_running_loop(), asyncio.Event()
        await self.on_tick(0)  # the headers that each answer has
        self._ready.set()
        await self._left.wait()

    def wait_until_ready(self) -> None:
        assert self._ready.wait(PATIENCE), "the server did not start"

    def leave(self) -> None:
        self._loop.call_soon_threadsafe(self._left.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  of the base class
        for listening in self.servers:
            listening.close()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await self.lifespan.shutdown()
