"""A plugin that says what a test wants, and a clock that a test moves."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from services.embedded.plugin.interface import PluginFailed, PluginInfo, PluginReply

REPOSITORY_FIELDS = {
    "STUB_URL": {"display-name": "Stub URL", "display-order": "0"},
    "TOKEN": {"display-name": "Token", "display-order": "1", "part-of-identity": False, "secure": True},
}
PACKAGE_FIELDS = {
    "PKG": {"display-name": "Package", "display-order": "0"},
    "NOTE": {"display-name": "Note", "display-order": "1", "part-of-identity": False, "required": False},
}


def revision(name: str, **data: str) -> dict[str, Any]:
    return {
        "revision": name,
        "timestamp": "2026-11-22T06:00:00.000Z",
        "user": "alice",
        "revisionComment": f"{name} was promoted",
        "trackbackUrl": "http://localhost:5000/#/runs/1",
        "data": data,
    }


class FakePlugin:
    """`offers` is the next answer for each package; `hangs` makes that package's polls wait."""

    plugin = PluginInfo(id="stub.package", version="1", name="Stub package repository")
    repository_fields: ClassVar[dict[str, Any]] = REPOSITORY_FIELDS
    package_fields: ClassVar[dict[str, Any]] = PACKAGE_FIELDS
    names_package = "PKG"

    def __init__(self) -> None:
        self.offers: dict[str, Any] = {}
        self.hangs: dict[str, threading.Event] = {}
        self.problems: list[dict[str, str]] = []
        self.polls: list[tuple[str, Any]] = []

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:
        content = json.loads(body) if body else {}
        answers = {
            "repository-configuration": self.repository_fields,
            "package-configuration": self.package_fields,
            "validate-repository-configuration": self.problems,
            "validate-package-configuration": self.problems,
        }
        if name in answers:
            return PluginReply(code=200, body=json.dumps(answers[name]))
        return self._latest(name, content, timeout)

    def _latest(self, name: str, content: dict[str, Any], timeout: float) -> PluginReply:
        package = content["package-configuration"][self.names_package]["value"]
        self.polls.append((name, content))
        if package in self.hangs and not self.hangs[package].wait(timeout):
            raise PluginFailed("no answer")
        offer = self.offers.get(package)
        if offer is None:
            return PluginReply(code=500, body=f"stub: nothing promoted yet for {package}")
        if isinstance(offer, PluginFailed):
            raise offer
        return PluginReply(code=200, body=offer if isinstance(offer, str) else json.dumps(offer))


class RefusingPlugin(FakePlugin):
    """Refuses every poll by one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence

    def _latest(self, name: str, content: dict[str, Any], timeout: float) -> PluginReply:  # noqa: ARG002
        return PluginReply(code=500, body=self._sentence)


class FakeMlflowPlugin(FakePlugin):
    """With the names and fields of our own plugin."""

    plugin = PluginInfo(id="trackback.mlflow", version="1", name="MLflow")
    repository_fields: ClassVar[dict[str, Any]] = {
        "MLFLOW_URL": {"display-name": "MLflow URL", "display-order": "0"},
        "MLFLOW_UI_URL": {"display-name": "UI", "display-order": "1", "part-of-identity": False, "required": False},
    }
    package_fields: ClassVar[dict[str, Any]] = {
        "EXPERIMENT": {"display-name": "Experiment", "display-order": "0"},
        "TAG": {"display-name": "Tag", "display-order": "1", "required": False},
    }
    names_package = "EXPERIMENT"


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 6, 19, 42, 29000, UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds
