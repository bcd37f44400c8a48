"""The package materials of the pipelines, with one poller each."""

import threading
from collections.abc import Iterable

from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.polling.dependencies import PackagePolling
from services.embedded.polling.package_poller import PackagePoller
from services.embedded.records.catalog import Catalog, Package


class Materials:
    def __init__(self, pipelines: PipelineSet, catalog: Catalog, polling: PackagePolling) -> None:
        self._pipelines = pipelines
        self._catalog = catalog
        self._polling = polling
        self._lock = threading.Lock()
        self._pollers: dict[str, PackagePoller] = {}
        self._missing: set[str] = set()

    def refresh(self) -> None:
        """Starts and stops pollers, until those packages that a pipeline waits for have one, and no others.

        A package that a pipeline waits for and nobody defined is a server health message.
        """
        waiting = self._waiting()
        with self._lock:
            wanted = {it.fingerprint: it for it in self._catalog.packages() if it.id in waiting}
            self._report_missing(waiting, missing=set(waiting) - {it.id for it in wanted.values()})
            for fingerprint in set(self._pollers) - set(wanted):
                self._pollers.pop(fingerprint).stop()
                self._polling.health.clear(fingerprint)
            for fingerprint, package in wanted.items():
                self._poll(fingerprint, package)

    def _poll(self, fingerprint: str, package: Package) -> None:
        if known := self._pollers.get(fingerprint):
            known.redefine(package)
            return
        poller = PackagePoller(package, self._polling, lambda: self._waiting().get(package.id, []))
        self._pollers[fingerprint] = poller
        poller.start()

    def _report_missing(self, waiting: dict[str, list[str]], missing: set[str]) -> None:
        for identity in self._missing - missing:
            self._polling.health.clear(identity)
        for identity in missing:
            detail = f"Failed to find package repository with package id '{identity}'"
            message = f"Invalid Merged Configuration\nAffected: {', '.join(waiting[identity])}."
            self._polling.health.error(identity, message, detail)
        self._missing = missing

    def _waiting(self) -> dict[str, list[str]]:
        """The names of the pipelines that wait for a package, by its id."""
        waiting: dict[str, list[str]] = {}
        for name, pipeline in self._pipelines.current.pipelines.items():
            for material in pipeline.materials.values():
                if material.package:
                    waiting.setdefault(material.package, []).append(name)
        return waiting

    def pollers(self) -> list[PackagePoller]:
        with self._lock:
            return list(self._pollers.values())

    def poller(self, fingerprint: str) -> PackagePoller | None:
        with self._lock:
            return self._pollers.get(fingerprint)

    def poll_and_wait(self, packages: Iterable[str]) -> None:
        """Returns when each of these packages, given by id, was polled."""
        for poller in self.pollers():
            if poller.package.id in packages:
                poller.poll_and_wait()

    def stop(self) -> None:
        for poller in self.pollers():
            poller.stop()
