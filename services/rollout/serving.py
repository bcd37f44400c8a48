"""What the rollout needs of a serving process, whichever way it is run."""

import socket
from typing import Protocol

from services.rollout.store import StoredRelease


class Serving(Protocol):
    """A process with one loaded release. Every call but `alive` raises Refused when it does not answer."""

    @property
    def model(self) -> str: ...

    @property
    def release(self) -> str: ...

    def alive(self) -> bool: ...

    def wait_ready(self) -> None:
        """Returns when the release is loaded and tested."""

    def check(self, release: StoredRelease) -> None:
        """Replays the golden predictions through the private door."""

    def go(self, listener: socket.socket) -> None:
        """Accepts on `listener`; no change when it does already."""

    def drain(self) -> None:
        """Accepts no more, stays loaded."""

    def listener(self) -> socket.socket | None:
        """A copy of the listener on which it accepts."""

    def retire(self, grace: float) -> None:
        """Drains, and ends after its last connection or `grace` seconds. Never raises."""

    def kill(self) -> None:
        """Ends it at once. Never raises."""


class Launcher(Protocol):
    def start(self, release: StoredRelease) -> Serving:
        """Raises Refused when it cannot be started at all."""

    def adopt(self) -> list[Serving]:
        """The processes that an earlier rollout service left running."""

    def close(self) -> None:
        """Ends every process, and starts no other."""
