"""Asks the plugin for one package, in its own thread, so that a hanging answer blocks only itself."""

import math
import threading
from collections.abc import Callable

from services.embedded.backoff import Backoff, Rhythm
from services.embedded.catalog import Package
from services.embedded.clock import Clock
from services.embedded.health import Health
from services.embedded.modifications import Modifications
from services.embedded.package_plugin import PackagePlugin


class Poller:
    def __init__(
        self,
        package: Package,
        plugin: PackagePlugin,
        modifications: Modifications,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        pipelines: list[str],
        on_new: Callable[[list[str]], None],
    ) -> None:
        self.package = package
        self._plugin = plugin
        self._modifications = modifications
        self._health = health
        self._clock = clock
        self._backoff = Backoff(rhythm)
        self._pipelines = pipelines
        self._on_new = on_new
        self._wake = threading.Condition()
        self._asked = False
        self._busy = False
        self._stopped = False
        self._due = self._in_seconds(0)
        self._rounds = 0
        self._thread = threading.Thread(target=self._run, name=f"poll-{package.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
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
            rest = self._backoff.rest(succeeded=self.poll())
            with self._wake:
                self._due = self._in_seconds(rest)
                self._busy = False
                self._rounds += 1
                self._wake.notify_all()

    def _next_turn(self) -> bool:
        """Waits until it is time to poll; False when it is time to end."""
        with self._wake:
            while not self._stopped and not self._asked and (rest := self._due - self._clock.monotonic()) > 0:
                self._wake.wait(min(rest, threading.TIMEOUT_MAX))
            self._asked = False
            self._busy = True
            return not self._stopped

    def _in_seconds(self, rest: float) -> float:
        return self._clock.monotonic() + rest if self.package.auto_update else math.inf

    def poll(self) -> bool:
        """False when the plugin failed; the reason is a server health message then."""
        subject = self.package.fingerprint
        try:
            previous = next(iter(self._modifications.newest(subject)), None)
            found = self._plugin.latest(self.package, previous)
            if found and not self._stopped and self._modifications.add(subject, found):
                self._on_new(self._pipelines)
        except Exception as failure:  # whatever a plugin does, polling goes on and the operator sees why it failed
            self._report(subject, str(failure))
            return False
        self._health.well(subject)
        return True

    def _report(self, subject: str, reason: str) -> None:
        if self._stopped:
            return
        affected = ", ".join(self._pipelines)
        message = f"Modification check failed for material: {self.package.description}"
        self._health.error(subject, f"{message}\nAffected pipelines are {affected}.", reason)
