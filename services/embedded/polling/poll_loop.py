"""A thread that polls: every so many seconds, at once when asked, and less often after failures."""

import math
import threading

from services.embedded.clock import Clock
from services.embedded.polling.backoff import Backoff, PollIntervals


class PollLoop:
    """A subclass has `poll`. A loop that is not `automatic` polls only when asked."""

    def __init__(self, name: str, clock: Clock, intervals: PollIntervals, automatic: bool) -> None:
        self._clock = clock
        self._backoff = Backoff(intervals)
        self._automatic = automatic
        self._wake = threading.Condition()
        self._asked = False
        self._busy = False
        self._stopped = False
        self._due = clock.monotonic()
        self._done = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def poll(self) -> bool:
        """False when it failed."""
        raise NotImplementedError

    def start(self) -> None:
        """The first poll of an automatic loop comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """Does not wait for a poll that is in progress."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()

    def set_automatic(self, automatic: bool) -> None:
        """A poll that would have been due meanwhile is done at once."""
        with self._wake:
            self._automatic = automatic
            self._wake.notify_all()

    @property
    def in_progress(self) -> bool:
        with self._wake:
            return self._busy or self._asked

    def trigger(self) -> bool:
        """Polls at once, whatever the back-off says; False while a poll is in progress."""
        with self._wake:
            if self._busy or self._asked:
                return False
            self._asked = True
            self._wake.notify_all()
            return True

    def poll_and_wait(self) -> None:
        """Returns after a poll that began after this call, or when the loop is stopped."""
        with self._wake:
            # A poll that is in progress may have asked before this call, so it does not count.
            wanted = self._done + (2 if self._busy else 1)
            self._asked = True
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._stopped or self._done >= wanted)

    def _run(self) -> None:
        while self._wait_for_turn():
            succeeded = self.poll()
            rest = self._backoff.rest(succeeded, self._clock.monotonic())
            with self._wake:
                self._due = self._clock.monotonic() + rest
                self._busy = False
                self._done += 1
                self._wake.notify_all()

    def _wait_for_turn(self) -> bool:
        """False when the loop is stopped."""
        with self._wake:
            while not self._stopped and not self._asked and (rest := self._rest()) > 0:
                self._wake.wait(min(rest, threading.TIMEOUT_MAX))
            self._asked = False
            self._busy = True
            return not self._stopped

    def _rest(self) -> float:
        """Seconds until the next poll."""
        return self._due - self._clock.monotonic() if self._automatic else math.inf
