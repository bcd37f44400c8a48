"""Asks the plugin for one package, in its own thread, so that a hanging answer blocks only itself."""

from collections.abc import Callable

from services.embedded.clock import Clock
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.polling.backoff import Rhythm
from services.embedded.polling.health import Health
from services.embedded.polling.rounds import Rounds
from services.embedded.records.catalog import Package
from services.embedded.records.modifications import Modifications


class Poller(Rounds):
    """`pipelines` are those that wait for the package now."""

    def __init__(
        self,
        package: Package,
        plugin: PackagePlugin,
        modifications: Modifications,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        pipelines: Callable[[], list[str]],
        on_new: Callable[[list[str]], None],
    ) -> None:
        super().__init__(f"poll-{package.id}", clock, rhythm, package.auto_update)
        self.package = package
        self._plugin = plugin
        self._modifications = modifications
        self._health = health
        self._pipelines = pipelines
        self._on_new = on_new

    def redefine(self, package: Package) -> None:
        """What is polled stays the same: only what is not part of the fingerprint may be another."""
        self.package = package
        self.keep(package.auto_update)

    def poll(self) -> bool:
        """False when the plugin failed; the reason is a server health message then."""
        subject = self.package.fingerprint
        try:
            previous = next(iter(self._modifications.newest(subject)), None)
            found = self._plugin.latest(self.package, previous)
            if found and not self._stopped and self._modifications.add(subject, found):
                self._on_new(self._pipelines())
        except Exception as failure:  # whatever a plugin does, polling goes on and the operator sees why it failed
            self._report(subject, str(failure))
            return False
        self._health.well(subject)
        return True

    def _report(self, subject: str, reason: str) -> None:
        if self._stopped:
            return
        affected = ", ".join(self._pipelines())
        message = f"Modification check failed for material: {self.package.description}"
        self._health.error(subject, f"{message}\nAffected pipelines are {affected}.", reason)
