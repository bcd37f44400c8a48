"""The embedded server makes of a plugin's answers what GoCD makes of them: the table that the Java side reads too."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.embedded.plugin.interface import PluginFailed, PluginInfo, PluginReply
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.records.catalog import Package, Repository
from services.embedded.records.modifications import Modification
from tests.support.paths import ROOT

TABLE = ROOT / "services/contract/examples/plugin_answers.json"
REPOSITORY = Repository(id="mlflow", name="mlflow", plugin="trackback.mlflow", version="0.1.0", properties=())
PACKAGE = Package(id="diamond", name="diamond", repository=REPOSITORY, auto_update=True, properties=())
KNOWN = Modification(revision="6-0123abcd", user="ada", comment="", modified_at=0, data={})
# Nothing asks the embedded server to check a connection.
NOT_ASKED = {"check-repository-connection", "check-package-connection"}


@dataclass(frozen=True)
class Answering:
    """A plugin that gives every message one answer."""

    reply: PluginReply
    plugin: PluginInfo = PluginInfo(id="trackback.mlflow", version="0.1.0", name="Trackback MLflow")

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:  # noqa: ARG002
        return self.reply


def rows() -> Iterator[Any]:
    for row in json.loads(TABLE.read_text()):
        body = json.dumps(row["json"]) if "json" in row else row["body"]
        reply = PluginReply(code=row.get("code", 200), body=body)
        for message in sorted(set(row["messages"]) - NOT_ASKED):
            yield pytest.param(message, reply, row, id=f"{message} {reply.code} {body}"[:120])


def reading(message: str, plugin: PackagePlugin) -> tuple[str, Any]:
    """What the server has after the answer: the table's word for it, and what was read in the table's spelling."""
    match message:
        case "repository-configuration":
            return "fields", fields(plugin.repository_fields())
        case "package-configuration":
            return "fields", fields(plugin.package_fields())
        case "validate-repository-configuration":
            return problems(plugin.repository_problems(REPOSITORY))
        case "validate-package-configuration":
            return problems(plugin.package_problems(PACKAGE))
        case "latest-revision":
            return revision(plugin.latest(PACKAGE, None))
        case _:
            return revision(plugin.latest(PACKAGE, KNOWN))


def fields(found: Iterable[Any]) -> dict[str, Any]:
    return {
        it.key: {
            "display-name": it.display_name,
            "display-order": it.display_order,
            "part-of-identity": it.identity,
            "required": it.required,
            "secure": it.secure,
        }
        for it in found
    }


def problems(found: dict[str, list[str]]) -> tuple[str, Any]:
    told = [{"key": key, "message": message} for key, messages in found.items() for message in messages]
    return ("problems", told) if told else ("valid", None)


def revision(found: Modification | None) -> tuple[str, Any]:
    if found is None:
        return "no change", None
    read = {"revision": found.revision, "timestamp": found.modified_at, "user": found.user, "data": found.data}
    return "revision", read


def expected(row: dict[str, Any], read: Any) -> Any:
    """What the table says, and for the rest of a revision whatever was read; the server has no use for defaults."""
    reads: Any = row.get("reads")
    if row["gocd"] == "fields":
        return {key: {name: field[name] for name in field if name != "default-value"} for key, field in reads.items()}
    return read | reads if row["gocd"] == "revision" else reads


@pytest.mark.parametrize(("message", "reply", "row"), list(rows()))
def test_an_answer_is_read_as_the_table_says(message: str, reply: PluginReply, row: dict[str, Any]) -> None:
    plugin = PackagePlugin(Answering(reply))
    if row["gocd"] in {"error", "spoilt"}:
        with pytest.raises(PluginFailed):
            reading(message, plugin)
    else:
        outcome, read = reading(message, plugin)
        assert (outcome, read) == (row["gocd"], expected(row, read))
