"""The messages of GoCD's package-repository extension 1.0."""

import json
from collections.abc import Iterable
from typing import Any

from services.embedded.plugin import plugin_answers
from services.embedded.records.catalog import Package, Property, Repository
from services.embedded.clock import from_milliseconds, iso_milliseconds
from services.embedded.records.modifications import Modification
from services.embedded.plugin.interface import Plugin, PluginInfo, PluginReply
from services.embedded.plugin.plugin_answers import Field


class PackagePlugin:
    """Each method but `info` sends one message and raises PluginFailed with the text that GoCD shows."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    @property
    def info(self) -> PluginInfo:
        return self._plugin.plugin

    def repository_fields(self) -> list[Field]:
        return plugin_answers.fields(self._ask("repository-configuration", None))

    def package_fields(self) -> list[Field]:
        return plugin_answers.fields(self._ask("package-configuration", None))

    def repository_problems(self, repository: Repository) -> dict[str, list[str]]:
        """Sentences by key; empty when the plugin accepts the configuration."""
        return plugin_answers.problems(self._ask("validate-repository-configuration", _repository(repository)))

    def package_problems(self, package: Package) -> dict[str, list[str]]:
        return plugin_answers.problems(self._ask("validate-package-configuration", _package(package)))

    def latest(self, package: Package, previous: Modification | None) -> Modification | None:
        """A revision that is newer than `previous`, or any if that is None; None when there is none."""
        if previous is None:
            return plugin_answers.latest(self._ask("latest-revision", _package(package)))
        body = {**_package(package), "previous-revision": _previous(previous)}
        return plugin_answers.since(self._ask("latest-revision-since", body))

    def _ask(self, message: str, body: dict[str, Any] | None) -> PluginReply:
        return self._plugin.call(message, json.dumps(body) if body is not None else None)


def _repository(repository: Repository) -> dict[str, Any]:
    return {"repository-configuration": _values(repository.properties)}


def _package(package: Package) -> dict[str, Any]:
    return {**_repository(package.repository), "package-configuration": _values(package.properties)}


def _values(properties: Iterable[Property]) -> dict[str, dict[str, str]]:
    return {it.key: {"value": it.value} for it in properties}


def _previous(modification: Modification) -> dict[str, Any]:
    timestamp = iso_milliseconds(from_milliseconds(modification.modified_at))
    return {"revision": modification.revision, "timestamp": timestamp, "data": modification.data}
