"""Polls one package in a thread of its own, so that a plugin that hangs blocks no other package."""

from collections.abc import Callable

from services.embedded.polling.dependencies import PackagePolling
from services.embedded.polling.poll_loop import PollLoop
from services.embedded.records.catalog import Package


class PackagePoller(PollLoop):
    """`pipelines` returns the names of those that wait for the package now."""

    def __init__(self, package: Package, polling: PackagePolling, pipelines: Callable[[], list[str]]) -> None:
        super().__init__(f"poll-{package.id}", polling.clock, polling.intervals, package.auto_update)
        self.package = package
        self._polling = polling
        self._pipelines = pipelines

    def redefine(self, package: Package) -> None:
        """Takes over the fields outside of the fingerprint, which must be the same."""
        self.package = package
        self.set_automatic(package.auto_update)

    def poll(self) -> bool:
        """False when the plugin failed; the reason is a server health message then."""
        fingerprint, modifications = self.package.fingerprint, self._polling.modifications
        try:
            previous = next(iter(modifications.newest(fingerprint)), None)
            found = self._polling.plugin.latest(self.package, previous)
            if found and not self._stopped and modifications.add(fingerprint, found):
                self._polling.on_new_revision(self._pipelines())
        except Exception as failure:  # whatever a plugin does, polling goes on and the operator sees why it failed
            self._report(fingerprint, str(failure))
            return False
        self._polling.health.clear(fingerprint)
        return True

    def _report(self, subject: str, reason: str) -> None:
        if self._stopped:
            return
        affected = ", ".join(self._pipelines())
        message = f"Modification check failed for material: {self.package.description}"
        self._polling.health.error(subject, f"{message}\nAffected pipelines are {affected}.", reason)
