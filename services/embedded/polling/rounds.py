"""Does one thing again and again in a thread of its own: at its rhythm, at once when asked, slower after a failure."""

import math
import threading

from services.embedded.clock import Clock
from services.embedded.polling.backoff import Backoff, Rhythm


class Rounds:
    """A subclass says in `poll` what is done in a round. While it is not `automatic` it waits to be asked."""

    def __init__(self, name: str, clock: Clock, rhythm: Rhythm, automatic: bool) -> None:
        self._clock = clock
        self._backoff = Backoff(rhythm)
        self._automatic = automatic
        self._wake = threading.Condition()
        self._asked = False
        self._busy = False
        self._stopped = False
        self._due = clock.monotonic()
        self._rounds = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def poll(self) -> bool:
        """False when it failed."""
        raise NotImplementedError

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify_all()

    def keep(self, automatic: bool) -> None:
        """Whether its rhythm counts from now on; one that was due meanwhile is done at once."""
        with self._wake:
            self._automatic = automatic
            self._wake.notify_all()

    @property
    def in_progress(self) -> bool:
        with self._wake:
            return self._busy or self._asked

    def trigger(self) -> bool:
        """Polls at once, whatever the back-off says; False while a poll is under way."""
        with self._wake:
            if self._busy or self._asked:
                return False
            self._asked = True
            self._wake.notify_all()
            return True

    def poll_and_wait(self) -> None:
        """Returns after a poll that began after this call."""
        with self._wake:
            wanted = self._rounds + (2 if self._busy else 1)
            self._asked = True
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._stopped or self._rounds >= wanted)

    def _run(self) -> None:
        while self._next_turn():
            succeeded = self.poll()
            rest = self._backoff.rest(succeeded, self._clock.monotonic())
            with self._wake:
                self._due = self._clock.monotonic() + rest
                self._busy = False
                self._rounds += 1
                self._wake.notify_all()

    def _next_turn(self) -> bool:
        """Waits until it is time to poll; False when it is time to end."""
        with self._wake:
            while not self._stopped and not self._asked and (rest := self._rest()) > 0:
                self._wake.wait(min(rest, threading.TIMEOUT_MAX))
            self._asked = False
            self._busy = True
            return not self._stopped

    def _rest(self) -> float:
        return self._due - self._clock.monotonic() if self._automatic else math.inf
