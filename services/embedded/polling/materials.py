"""The package materials that pipelines wait for: one poller each, from the moment the package is defined."""

import threading
from collections.abc import Callable, Iterable

from services.embedded.clock import Clock
from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.polling.backoff import Rhythm
from services.embedded.polling.health import Health
from services.embedded.polling.poller import Poller
from services.embedded.records.catalog import Catalog, Package
from services.embedded.records.modifications import Modifications


class Materials:
    def __init__(
        self,
        pipelines: PipelineSet,
        catalog: Catalog,
        plugin: PackagePlugin,
        modifications: Modifications,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        on_new: Callable[[list[str]], None],
    ) -> None:
        self._pipelines = pipelines
        self._catalog = catalog
        self._health = health
        self._lock = threading.Lock()
        self._pollers: dict[str, Poller] = {}
        self._missing: set[str] = set()
        self._create: Callable[[Package], Poller] = lambda package: Poller(
            package, plugin, modifications, health, clock, rhythm, lambda: self._users().get(package.id, []), on_new
        )

    def refresh(self) -> None:
        """Polls the packages that pipelines wait for, and those only; says which ones are missing."""
        users = self._users()
        with self._lock:
            wanted = {it.fingerprint: it for it in self._catalog.packages() if it.id in users}
            self._complain(users, missing=set(users) - {it.id for it in wanted.values()})
            for fingerprint in set(self._pollers) - set(wanted):
                self._pollers.pop(fingerprint).stop()
                self._health.well(fingerprint)
            for fingerprint, package in wanted.items():
                if known := self._pollers.get(fingerprint):
                    known.redefine(package)
                else:
                    self._pollers[fingerprint] = self._create(package)
                    self._pollers[fingerprint].start()

    def _complain(self, users: dict[str, list[str]], missing: set[str]) -> None:
        for identity in self._missing - missing:
            self._health.well(identity)
        for identity in missing:
            detail = f"Failed to find package repository with package id '{identity}'"
            message = f"Invalid Merged Configuration\nAffected: {', '.join(users[identity])}."
            self._health.error(identity, message, detail)
        self._missing = missing

    def _users(self) -> dict[str, list[str]]:
        """The pipelines that wait for each package."""
        users: dict[str, list[str]] = {}
        for name, pipeline in self._pipelines.current.pipelines.items():
            for material in pipeline.materials.values():
                if material.package:
                    users.setdefault(material.package, []).append(name)
        return users

    def pollers(self) -> list[Poller]:
        with self._lock:
            return list(self._pollers.values())

    def poller(self, fingerprint: str) -> Poller | None:
        with self._lock:
            return self._pollers.get(fingerprint)

    def poll_and_wait(self, packages: Iterable[str]) -> None:
        for poller in self.pollers():
            if poller.package.id in packages:
                poller.poll_and_wait()

    def stop(self) -> None:
        for poller in self.pollers():
            poller.stop()
