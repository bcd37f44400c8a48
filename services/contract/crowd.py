"""Who is connected to a service: however many come, there is room for one more who has a request."""

from collections import Counter
from typing import Protocol


class Guest(Protocol):
    def make_room(self) -> None:
        """Leaves at once."""


class Crowd:
    """A newcomer takes the place of whoever has been here longest without a request, if all places are taken."""

    def __init__(self, places: int, places_a_peer: int) -> None:
        self._places, self._places_a_peer = places, places_a_peer
        self._peers: dict[Guest, str] = {}
        self._count: Counter[str] = Counter()
        # Both oldest first: those who never asked a whole request, and those between two.
        self._silent: dict[Guest, None] = {}
        self._resting: dict[Guest, None] = {}

    def join(self, guest: Guest, peer: str) -> bool:
        """False when all who are here are being answered."""
        crowded = self._count[peer] >= self._places_a_peer
        if (crowded or len(self._peers) >= self._places) and not self._turn_out(peer if crowded else None):
            return False
        self._peers[guest] = peer
        self._count[peer] += 1
        self._silent[guest] = None
        return True

    def is_asking(self, guest: Guest) -> None:
        self._silent.pop(guest, None)
        self._resting.pop(guest, None)

    def is_resting(self, guest: Guest) -> None:
        if guest in self._peers:
            self._resting[guest] = None

    def leave(self, guest: Guest) -> None:
        if (peer := self._peers.pop(guest, None)) is None:
            return
        self._count[peer] -= 1
        if not self._count[peer]:
            del self._count[peer]
        self.is_asking(guest)

    def _turn_out(self, peer: str | None) -> bool:
        for guest in (*self._silent, *self._resting):
            if peer in (None, self._peers[guest]):
                self.leave(guest)
                guest.make_room()
                return True
        return False
