"""A package as GoCD keeps it, polled and checked as GoCD does."""

import json
from collections.abc import Mapping

import pytest

from services.embedded.plugin.interface import Plugin, PluginFailed, PluginReply
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.records.catalog import Package, Property, Repository
from services.embedded.records.modifications import Modification

# GoCD's page waits for a check.
_SHOWN = (
    "The plugin sent a response that could not be understood by Go."
    " Plugin returned with code '500' and the following response: '"
)


class Material:
    """Its configuration, and its newest modification, which goes along with later polls."""

    def __init__(self, host: Plugin, repository: Mapping[str, str], package: Mapping[str, str]) -> None:
        self.host, self.plugin = host, PackagePlugin(host)
        mlflow = Repository("mlflow", "mlflow", "trackback.mlflow", "0.1.0", _properties(repository))
        self.package = Package("diamond", "diamond", mlflow, True, _properties(package))
        self.known: Modification | None = None

    def poll(self) -> Modification | None:
        """What is new; raises PluginFailed with what GoCD would show."""
        found = self.plugin.latest(self.package, self.known)
        self.known = found or self.known
        return found

    def reported(self) -> str:
        """The run of the one new modification."""
        found = self.poll()
        assert found, "expected a new modification, found none"
        return found.data["RUN_ID"]

    def drained(self) -> list[str]:
        """The runs of all that is new."""
        runs = []
        while found := self.poll():
            runs.append(found.data["RUN_ID"])
        return runs

    def refusal(self) -> str:
        """The plugin's words in what GoCD shows of a failed poll."""
        with pytest.raises(PluginFailed) as failed:
            self.poll()
        shown = str(failed.value)
        assert shown.startswith(_SHOWN), shown
        return shown.removeprefix(_SHOWN).removesuffix("'")

    def check(self, what: str) -> tuple[str, str]:
        """Status and sentence of `check-…-connection`."""
        reply = self.send(f"check-{what}-connection")
        assert reply.code == 200, reply.body
        answer = json.loads(reply.body or "")
        assert answer.keys() == {"status", "messages"}
        assert answer["status"] in {"success", "failure"}
        (sentence,) = answer["messages"]
        return answer["status"], sentence

    def send(self, message: str) -> PluginReply:
        values = {
            "repository-configuration": _values(self.package.repository.properties),
            "package-configuration": _values(self.package.properties),
        }
        return self.host.call(message, json.dumps(values))


def _properties(values: Mapping[str, str]) -> tuple[Property, ...]:
    return tuple(Property(key, value, secure=False, identity=True) for key, value in values.items())


def _values(properties: tuple[Property, ...]) -> dict[str, dict[str, str]]:
    return {it.key: {"value": it.value} for it in properties}
