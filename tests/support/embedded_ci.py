"""A CI server with a fake plugin, real jobs and its real API, for one test."""

import socket
import ssl
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from fastapi import FastAPI

from services.embedded.agent.artifacts import CONSOLE_LOG
from services.embedded.api.app import create_app
from services.embedded.clock import Clock
from services.embedded.engine import CiEngine, Site
from services.embedded.pipelines.gocd_yaml import load_pipelines
from services.embedded.polling.backoff import PollIntervals
from tests.support.asgi_server import AsgiServer
from tests.support.embedded_fakes import FakePlugin, revision
from tests.support.poll import poll_until

# Certificates are not asked for here, and reading those of all authorities takes longer than many a test.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
URL = "http://127.0.0.1:8153/go"
FAST = PollIntervals(poll=0.02, backoff=0.05, backoff_max=0.2)
# Long enough that nothing is polled twice unless a test asks for it.
SLOW = PollIntervals(poll=3600, backoff=3600, backoff_max=3600)


def python(code: str) -> dict[str, Any]:
    return {"exec": {"command": sys.executable, "arguments": ["-c", textwrap.dedent(code)]}}


def stage(name: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    job = {"resources": ["python"], "tasks": list(tasks) or [python("")]} | more.pop("job", {})
    return {name: {"jobs": {name: job}} | more}


def pipeline(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"group": "ml", "materials": {"model": {"package": "churn"}}, "stages": list(stages)} | more


class CiWithFakePlugin:
    def __init__(self, engine: CiEngine, plugin: FakePlugin, http: httpx.Client) -> None:
        self.engine, self.plugin, self.http = engine, plugin, http

    def get(self, path: str, version: int = 1) -> httpx.Response:
        return self.http.get(f"/go/api/{path}", headers={"Accept": f"application/vnd.go.cd.v{version}+json"})

    def post(self, path: str, version: int = 1, body: Any = None) -> httpx.Response:
        headers = {"Accept": f"application/vnd.go.cd.v{version}+json", "X-GoCD-Confirm": "true"}
        return self.http.post(f"/go/api/{path}", headers=headers, json=body)

    def define(self, package: str = "churn", **more: Any) -> None:
        """The repository and the package, as an operator defines them."""
        if not self.engine.catalog.repositories():
            assert self.post("admin/repositories", 1, REPOSITORY).status_code == 200
        assert self.post("admin/packages", 2, new_package(package) | more).status_code == 200

    def promote(self, name: str, package: str = "churn", **data: str) -> None:
        """Returns when GoCD has seen it."""
        self.plugin.offers[package] = revision(name, **data)
        poller = next(it for it in self.engine.materials.pollers() if it.package.id == package)
        poller.poll_and_wait()

    def stage(self, locator: str) -> dict[str, Any] | None:
        """None until it ran: GoCD tells of a run that is not there as one with counter 0."""
        found = self.get(f"stages/{locator}", 3)
        return dict(found.json()) if found.status_code == 200 and found.json()["counter"] else None

    def finished(self, locator: str, seconds: float = 60) -> dict[str, Any]:
        """The stage `pipeline/counter/stage/counter`, once it has a result."""

        def look() -> dict[str, Any] | None:
            found = self.stage(locator)
            return found if found and found["result"] != "Unknown" else None

        return poll_until(look, f"the end of {locator}", seconds, pause=0.02)

    def console(self, locator: str) -> str:
        return self.http.get(f"/go/files/{locator}/{CONSOLE_LOG}").text

    def history(self, name: str) -> list[dict[str, Any]]:
        return list(self.get(f"pipelines/{name}/history").json()["pipelines"])


REPOSITORY = {
    "repo_id": "stub-repo",
    "name": "stub",
    "plugin_metadata": {"id": "stub.package", "version": "1"},
    "configuration": [
        {"key": "STUB_URL", "value": "http://stub.local:5000"},
        {"key": "TOKEN", "value": "s3cret+tok/en"},
    ],
}


def new_package(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "auto_update": True,
        "package_repo": {"id": "stub-repo"},
        "configuration": [{"key": "PKG", "value": name}, {"key": "NOTE", "value": "hello"}],
    }


def written(pipelines: dict[str, Any]) -> str:
    return yaml.safe_dump({"format_version": 10, "pipelines": pipelines}, sort_keys=False)


def create_engine(
    state: Path,
    pipelines: dict[str, Any] | None,
    plugin: FakePlugin,
    intervals: PollIntervals = SLOW,
    clock: Clock | None = None,
    passwords: Mapping[str, str] | None = None,
    images: bool = False,
) -> CiEngine:
    file = state / "pipelines.gocd.yaml"
    if pipelines:
        file.write_text(written(pipelines))
    site = Site(
        state=state,
        server_url=URL,
        inherited={"INHERITED": "yes"},
        agents=2,
        images=images,
        passwords=dict(passwords or {}),
    )
    known = load_pipelines(file) if pipelines else None
    return CiEngine(known, plugin, site, intervals, clock, file if pipelines else None)


@contextmanager
def running(
    state: Path,
    pipelines: dict[str, Any] | None,
    intervals: PollIntervals = SLOW,
    clock: Clock | None = None,
    plugin: FakePlugin | None = None,
    passwords: Mapping[str, str] | None = None,
    images: bool = False,
) -> Iterator[CiWithFakePlugin]:
    """With passwords, requests are those of nobody unless they say otherwise."""
    plugin = plugin or FakePlugin()
    engine = create_engine(state, pipelines, plugin, intervals, clock, passwords, images)
    engine.start()
    try:
        with serving(create_app(engine, ["127.0.0.1"])) as url, _client(url) as http:
            yield CiWithFakePlugin(engine, plugin, http)
    finally:
        engine.stop()


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60, verify=NO_AUTHORITIES)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The URL of `app` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = AsgiServer(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        server.wait_until_ready()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.leave()
            thread.join()
