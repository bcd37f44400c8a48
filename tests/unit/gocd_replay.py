"""A GoCD that gives recorded answers and remembers how it was asked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.unit.gocd_accept import accepted, not_found

SAMPLES = Path(__file__).parent / "gocd_samples"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


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
