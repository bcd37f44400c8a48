"""Accepts on a socket that siblings accept on as well, so that each of them has its share of the connections."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

from services.prediction.workers.pulse import Pulse

# Whoever has more connections than another lets that one go first, for so long.
YIELD_SECONDS = 0.002
# As asyncio does where there is no descriptor left.
RETRY_SECONDS = 1.0


class Acceptor:
    """In place of the event loop's own server, which takes all that wait at once. `siblings` are those of the others.

    A connection stays with its worker for as long as its client keeps it, so what counts is who accepts it.
    """

    def __init__(
        self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], own: Pulse, siblings: Sequence[Pulse]
    ) -> None:
        self._listening, self._protocol, self._own, self._siblings = listening, protocol, own, siblings
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._resumes: asyncio.TimerHandle | None = None
        self._closed = False
        listening.setblocking(False)
        self._resume()

    @property
    def sockets(self) -> list[socket.socket]:
        return [] if self._closed else [self._listening]

    def close(self) -> None:
        """The socket as well; what was accepted goes on."""
        if not self._closed:
            self._closed = True
            self._pause(None)
            self._listening.close()

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _readable(self) -> None:
        if any(pulse.beats and pulse.connections < self._own.connections for pulse in self._siblings):
            self._pause(YIELD_SECONDS)
        else:
            self._accept()

    def _pause(self, seconds: float | None) -> None:
        """For good without `seconds`."""
        self._loop.remove_reader(self._listening)
        if self._resumes:
            self._resumes.cancel()
        self._resumes = self._loop.call_later(seconds, self._go_on) if seconds else None

    def _go_on(self) -> None:
        # What nobody else has taken by now is ours: a sibling may be busy, or hang.
        self._resume()
        self._accept()

    def _resume(self) -> None:
        self._resumes = None
        self._loop.add_reader(self._listening, self._readable)

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:
            self._pause(RETRY_SECONDS)
            return
        connection.setblocking(False)
        # The event loop does so for what it accepts itself.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class ShownConnections(set[Any]):
    """The open connections of one server, whose number its siblings see."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__()
        self._pulse = pulse

    def add(self, connection: object) -> None:
        super().add(connection)
        self._pulse.show_connections(len(self))

    def discard(self, connection: object) -> None:
        super().discard(connection)
        self._pulse.show_connections(len(self))
