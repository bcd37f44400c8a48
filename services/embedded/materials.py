"""The package materials that pipelines wait for: one poller each, from the moment the package is defined."""

import threading
from collections.abc import Callable, Iterable

from services.embedded.backoff import Rhythm
from services.embedded.catalog import Catalog, Package
from services.embedded.clock import Clock
from services.embedded.health import Health
from services.embedded.modifications import Modifications
from services.embedded.package_plugin import PackagePlugin
from services.embedded.pipelines import Pipelines
from services.embedded.poller import Poller


class Materials:
    def __init__(
        self,
        pipelines: Pipelines,
        catalog: Catalog,
        plugin: PackagePlugin,
        modifications: Modifications,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        on_new: Callable[[list[str]], None],
    ) -> None:
        self._users = _users(pipelines)
        self._catalog = catalog
        self._health = health
        self._lock = threading.Lock()
        self._pollers: dict[str, Poller] = {}
        self._create: Callable[[Package, list[str]], Poller] = lambda package, users: Poller(
            package, plugin, modifications, health, clock, rhythm, users, on_new
        )

    def refresh(self) -> None:
        """Begins to poll packages that are new; says which ones are missing."""
        defined = {package.id: package for package in self._catalog.packages()}
        for identity, users in self._users.items():
            if identity in defined:
                self._health.well(identity)
                self._begin(defined[identity], users)
            else:
                detail = f"Failed to find package repository with package id '{identity}'"
                self._health.error(identity, f"Invalid Merged Configuration\nAffected: {', '.join(users)}.", detail)

    def _begin(self, package: Package, users: list[str]) -> None:
        with self._lock:
            if package.fingerprint not in self._pollers:
                self._pollers[package.fingerprint] = self._create(package, users)
                self._pollers[package.fingerprint].start()

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


def _users(pipelines: Pipelines) -> dict[str, list[str]]:
    """The pipelines that wait for each package."""
    users: dict[str, list[str]] = {}
    for name, pipeline in pipelines.pipelines.items():
        for material in pipeline.materials.values():
            if material.package:
                users.setdefault(material.package, []).append(name)
    return users
