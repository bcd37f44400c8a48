"""A GoCD that gives recorded answers and remembers how it was asked."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.gocd_accept import accepted, not_found
from tests.unit.embedded.gocd_exchanges.recorded import exchanges

# Where each is in the recorded exchanges.
SAMPLES = {
    "health": "health: accept application/vnd.go.cd.v1+json",
    "plugin_info": "plugin_info of our plugin: accept application/vnd.go.cd.v7+json",
    "repositories": "repositories: accept application/vnd.go.cd.v1+json",
    "packages": "packages: accept application/vnd.go.cd.v2+json",
    "package": "package: admin",
    "config_repos": "config_repos: accept application/vnd.go.cd.v4+json",
    "config_repo": "config repo: admin",
}


def sample(name: str) -> Any:
    """A copy that a test may change."""
    return json.loads(json.dumps(next(it.expected for it in exchanges() if it.name == SAMPLES[name])))


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: httpx.Headers
    body: Any


class Replay(httpx.BaseTransport):
    """`answers` are by method and path below /go; several for one are given in turn, the last one for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], list[httpx.Response]] = {}

    def on(self, method: str, path: str, body: Any, status: int = 200, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = httpx.Response(status, content=content, headers=headers)
        self._answers.setdefault((method, path), []).append(answer)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/go")
        body = json.loads(request.content) if request.content else None
        self.asked.append(Asked(request.method, path, request.headers, body))
        accept = request.headers.get("accept")
        if not accepted(path, accept):
            return not_found(accept)
        waiting = self._answers.get((request.method, path))
        if not waiting:
            return httpx.Response(404, text="<html>Not found</html>")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def changes(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method != "GET"]
