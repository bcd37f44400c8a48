"""A headless Chromium that shows pages that are nowhere: it is asked over its DevTools protocol, and reaches nothing.

Source of the protocol's methods: https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.offline.debian import install

ADDRESS = "http://gocd.test/go/files/page.html"
# As strict as a server of artifacts is: nothing from anywhere, no scripts, style in the page only.
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
    "--force-color-profile=srgb", "--font-render-hinting=none", "--remote-debugging-port=0",
)  # fmt: skip
_LISTENS = "DevTools listening on "
_PATIENCE = 60.0


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def see_to_chromium() -> bool:
    """Installs it where that can be done: as root on Debian, since Ubuntu's package is none."""
    if not find_chromium() and os.geteuid() == 0 and _is_debian():
        install("chromium")
    return find_chromium() is not None


def _is_debian() -> bool:
    return "ID=debian" in Path("/etc/os-release").read_text().splitlines()


@contextmanager
def chromium() -> Iterator["Tab"]:
    """One tab; the browser and all that it started are ended."""
    path = find_chromium()
    assert path, "expected chromium on PATH, found none"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [path, *_FLAGS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0
        )
        try:
            with connect(_address(process), max_size=None, open_timeout=_PATIENCE) as connection:
                yield Tab.opened(connection)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _address(process: "subprocess.Popen[str]") -> str:
    said = []
    for line in process.stderr or ():
        said.append(line)
        if line.startswith(_LISTENS):
            return line.removeprefix(_LISTENS).strip()
    raise AssertionError(f"expected chromium to listen, it said: {''.join(said)}")


@dataclass
class Tab:
    """Events that came while it was asked are kept: what the console said, and what the page asked for."""

    connection: ClientConnection
    session: str | None = None
    page: str = ""
    policy: str = POLICY
    complaints: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    _number: int = 0
    _loaded: bool = False

    @classmethod
    def opened(cls, connection: ClientConnection) -> Self:
        tab = cls(connection)
        target = tab.call("Target.createTarget", url="about:blank")["targetId"]
        tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime"):
            tab.call(f"{domain}.enable")
        tab.call("Fetch.enable", patterns=[{"urlPattern": "*"}])
        return tab

    def show(self, page: str, policy: str = POLICY) -> None:
        """Loads it, as if it were served under `policy`."""
        self.page, self.policy, self._loaded = page, policy, False
        self.complaints.clear()
        self.asked_for.clear()
        self.call("Page.navigate", url=ADDRESS)
        while not self._loaded:
            self._receive()

    def look(self, width: int, dark: bool) -> None:
        """At what is shown, and will be, in a window of that width."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Of the whole page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True, optimizeForSpeed=True)["data"]
        path.write_bytes(base64.b64decode(image))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = self._send(method, parameters)
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.connection.send(json.dumps(message))
        return self._number

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=_PATIENCE))
        event = message.get("params", {})
        match message.get("method"):
            case "Fetch.requestPaused":
                self._answer(event)
            case "Log.entryAdded" if event["entry"]["level"] in ("warning", "error"):
                self.complaints.append(event["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(event))
            case "Page.loadEventFired":
                self._loaded = True
        return message

    def _answer(self, event: dict[str, Any]) -> None:
        request = event["requestId"]
        if event["request"]["url"] != ADDRESS:
            self.asked_for.append(event["request"]["url"])
            self._send("Fetch.failRequest", {"requestId": request, "errorReason": "BlockedByClient"})
            return
        headers = [
            {"name": "Content-Type", "value": "text/html;charset=utf-8"},
            {"name": "Content-Security-Policy", "value": self.policy},
        ]
        body = base64.b64encode(self.page.encode()).decode()
        answer = {"requestId": request, "responseCode": 200, "responseHeaders": headers, "body": body}
        self._send("Fetch.fulfillRequest", answer)
