"""A bound on a service's connections that cannot be used up by idle ones: the oldest of these gives its slot up."""

from collections import Counter
from typing import Protocol


class Connection(Protocol):
    def evict(self) -> None:
        """Closes at once."""


class ConnectionSlots:
    """`slots` for all peers together, `slots_a_peer` for each of them."""

    def __init__(self, slots: int, slots_a_peer: int) -> None:
        self._slots, self._slots_a_peer = slots, slots_a_peer
        self._peers: dict[Connection, str] = {}
        self._count: Counter[str] = Counter()
        # Both oldest first: those that never had a whole request, and those between two.
        self._unused: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}

    def acquire(self, connection: Connection, peer: str) -> bool:
        """False when every slot that could be freed has a request that is being answered."""
        peer_is_full = self._count[peer] >= self._slots_a_peer
        full = peer_is_full or len(self._peers) >= self._slots
        if full and not self._evict_oldest(peer if peer_is_full else None):
            return False
        self._peers[connection] = peer
        self._count[peer] += 1
        self._unused[connection] = None
        return True

    def mark_busy(self, connection: Connection) -> None:
        self._unused.pop(connection, None)
        self._idle.pop(connection, None)

    def mark_idle(self, connection: Connection) -> None:
        if connection in self._peers:
            self._idle[connection] = None

    def release(self, connection: Connection) -> None:
        """No change when it has no slot."""
        if (peer := self._peers.pop(connection, None)) is None:
            return
        self._count[peer] -= 1
        if not self._count[peer]:
            del self._count[peer]
        self.mark_busy(connection)

    def _evict_oldest(self, peer: str | None) -> bool:
        """Of one peer, or of all. Unused ones go first."""
        for connection in (*self._unused, *self._idle):
            if peer in (None, self._peers[connection]):
                self.release(connection)
                connection.evict()
                return True
        return False
