"""Deadlines of many connections by one timer, so that a connection which keeps to them costs no timer of its own."""

import asyncio
import math
from typing import Protocol

NEVER = math.inf
# Of the shortest deadline that is kept: no more than this share of it late.
_LATE = 0.25


class Bounded(Protocol):
    """`due` is a time of the event loop's clock."""

    due: float

    def at_due(self) -> None:
        """Ends what took too long, or sets `due` anew."""


class Deadlines:
    """Looks at each connection every `seconds` × 0.25, at most once a second."""

    def __init__(self, seconds: float) -> None:
        self._every = min(1.0, seconds * _LATE)
        self._connections: set[Bounded] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Bounded, loop: asyncio.AbstractEventLoop) -> None:
        self._connections.add(connection)
        if not self._timer:
            self._timer = loop.call_later(self._every, self._look, loop)

    def discard(self, connection: Bounded) -> None:
        self._connections.discard(connection)
        if self._timer and not self._connections:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [one for one in self._connections if one.due <= now]:
            connection.at_due()
        self._timer = loop.call_later(self._every, self._look, loop) if self._connections else None
