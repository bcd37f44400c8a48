"""The messages of the package-repository extension 1.0, and what GoCD makes of the answers."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.embedded.catalog import Package, Property, Repository
from services.embedded.clock import from_milliseconds, iso_milliseconds, milliseconds
from services.embedded.modifications import Modification
from services.embedded.plugin import Plugin, PluginFailed, PluginInfo

_KEY = re.compile(r"[a-zA-Z0-9_]+")
_TIME_FORMAT = "Package revision timestamp should be of type string with format yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"


@dataclass(frozen=True)
class Field:
    """A key that the plugin lets people configure."""

    key: str
    display_name: str
    display_order: int
    required: bool
    secure: bool
    identity: bool


class PackagePlugin:
    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    @property
    def info(self) -> PluginInfo:
        return self._plugin.plugin

    def repository_fields(self) -> list[Field]:
        return self._fields("repository-configuration")

    def package_fields(self) -> list[Field]:
        return self._fields("package-configuration")

    def _fields(self, message: str) -> list[Field]:
        found = self._ask(message, None)
        if not isinstance(found, dict) or not found:
            raise PluginFailed("Unable to de-serialize json response. Empty response body")
        fields = [_field(key, described) for key, described in found.items()]
        return sorted(fields, key=lambda field: field.display_order)

    def repository_problems(self, repository: Repository) -> dict[str, list[str]]:
        """By key; empty when the plugin accepts it."""
        return self._problems("validate-repository-configuration", _repository(repository))

    def package_problems(self, package: Package) -> dict[str, list[str]]:
        return self._problems("validate-package-configuration", _package(package))

    def _problems(self, message: str, body: dict[str, Any]) -> dict[str, list[str]]:
        problems: dict[str, list[str]] = {}
        for found in self._ask(message, body) or []:
            problems.setdefault(str(found.get("key", "")), []).append(str(found.get("message", "")))
        return problems

    def latest(self, package: Package, previous: Modification | None) -> Modification | None:
        """None when nothing is new. Raises PluginFailed with the words that GoCD shows."""
        if previous is None:
            found = self._ask("latest-revision", _package(package))
            if not found:
                raise PluginFailed("Empty response body")
            return _modification(found)
        body = {**_package(package), "previous-revision": _previous(previous)}
        found = self._ask("latest-revision-since", body)
        return _modification(found) if found else None

    def _ask(self, message: str, body: dict[str, Any] | None) -> Any:
        reply = self._plugin.call(message, json.dumps(body) if body is not None else None)
        if reply.code != 200:
            raise PluginFailed(
                "The plugin sent a response that could not be understood by Go. Plugin returned with code"
                f" '{reply.code}' and the following response: '{reply.body}'"
            )
        try:
            return json.loads(reply.body) if reply.body else None
        except ValueError as error:
            raise PluginFailed(f"Unable to de-serialize json response. {error}") from error


def _field(key: str, described: dict[str, Any]) -> Field:
    """The defaults are GoCD's (PackageMaterialProperty)."""
    return Field(
        key=key,
        display_name=described.get("display-name", ""),
        display_order=int(described.get("display-order", "0")),
        required=described.get("required", True),
        secure=described.get("secure", False),
        identity=described.get("part-of-identity", True),
    )


def _repository(repository: Repository) -> dict[str, Any]:
    return {"repository-configuration": _values(repository.properties)}


def _package(package: Package) -> dict[str, Any]:
    return {**_repository(package.repository), "package-configuration": _values(package.properties)}


def _values(properties: Iterable[Property]) -> dict[str, dict[str, str]]:
    return {it.key: {"value": it.value} for it in properties}


def _previous(modification: Modification) -> dict[str, Any]:
    timestamp = iso_milliseconds(from_milliseconds(modification.modified_at))
    return {"revision": modification.revision, "timestamp": timestamp, "data": modification.data}


def _modification(found: Any) -> Modification:
    if not isinstance(found, dict):
        raise PluginFailed("Package revision should be returned as a map")
    comment = {
        "TRACKBACK_URL": found.get("trackbackUrl"),
        "TYPE": "PACKAGE_MATERIAL",
        "COMMENT": found.get("revisionComment"),
    }
    return Modification(
        revision=_revision(found.get("revision")),
        user=str(found.get("user") or "anonymous")[:255],
        comment=json.dumps(comment, separators=(",", ":"), ensure_ascii=False),
        modified_at=_time(found.get("timestamp")),
        data=_data(found.get("data") or {}),
    )


def _revision(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 1024:
        raise PluginFailed("Package revision should be of type string")
    return value


def _time(value: Any) -> int:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or "T" not in value:
            raise ValueError(value)
    except (TypeError, ValueError) as error:
        raise PluginFailed(_TIME_FORMAT) from error
    return milliseconds(moment)


def _data(data: Any) -> dict[str, str]:
    """Only strings: of anything else GoCD keeps nothing or another text, and says nothing."""
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise PluginFailed("Package revision data should be a map of strings")
    for key in data:
        if not _KEY.fullmatch(key):
            raise PluginFailed(
                f"Key '{key}' is invalid. Key names should consists of only alphanumeric characters and/or underscores."
            )
    return data
