"""A plugin that says what a test wants, and a clock that a test moves."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from services.embedded.plugin import PluginFailed, PluginInfo, PluginReply

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

    def __init__(self) -> None:
        self.offers: dict[str, Any] = {}
        self.hangs: dict[str, threading.Event] = {}
        self.problems: list[dict[str, str]] = []
        self.polls: list[tuple[str, Any]] = []

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:
        content = json.loads(body) if body else {}
        answers = {
            "repository-configuration": REPOSITORY_FIELDS,
            "package-configuration": PACKAGE_FIELDS,
            "validate-repository-configuration": self.problems,
            "validate-package-configuration": self.problems,
        }
        if name in answers:
            return PluginReply(code=200, body=json.dumps(answers[name]))
        return self._latest(name, content, timeout)

    def _latest(self, name: str, content: dict[str, Any], timeout: float) -> PluginReply:
        package = content["package-configuration"]["PKG"]["value"]
        self.polls.append((name, content))
        if package in self.hangs and not self.hangs[package].wait(timeout):
            raise PluginFailed("no answer")
        offer = self.offers.get(package)
        if offer is None:
            return PluginReply(code=500, body=f"stub: nothing promoted yet for {package}")
        if isinstance(offer, PluginFailed):
            raise offer
        return PluginReply(code=200, body=offer if isinstance(offer, str) else json.dumps(offer))


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 6, 19, 42, 29000, UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds
