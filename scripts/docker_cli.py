"""Docker's command line, and what compose reads from its files. Standard library only."""

import http.client
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.environments import ROOT, refuse

VARIABLE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)(?:\s+#.*)?\s*")
SOCKET = Path("/var/run/docker.sock")
_TIMED_OUT = 124


class EngineConnection(http.client.HTTPConnection):
    """The engine's REST API on its local socket."""

    def __init__(self) -> None:
        super().__init__("engine")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(3)
        self.sock.connect(str(SOCKET))


@dataclass(frozen=True)
class Done:
    """How a command ended; `problem` is the last line of its stderr."""

    code: int
    out: str
    problem: str

    def content(self) -> Any:
        """What it printed as JSON, None when it failed."""
        return json.loads(self.out) if self.code == 0 else None


@dataclass(frozen=True)
class Docker:
    """Runs commands of at most `seconds`; `env_files` are passed to compose."""

    env_files: Sequence[Path] = ()
    seconds: float = 10

    def ask(self, *words: str) -> Done:
        try:
            done = subprocess.run(
                ["docker", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=self.seconds
            )
        except subprocess.TimeoutExpired:
            return Done(_TIMED_OUT, "", f"no answer within {self.seconds:g} s")
        said = done.stderr.strip().splitlines()
        return Done(done.returncode, done.stdout.strip(), said[-1].strip() if said else f"exit {done.returncode}")

    def compose(self, *words: str) -> Done:
        files = [word for file in self.env_files for word in ("--env-file", str(file))]
        return self.ask("compose", *files, *words)

    def rows(self, *words: str) -> list[list[str]]:
        """The rows of a list that is printed with tabs; none when the command failed."""
        done = self.ask(*words)
        return [line.split("\t") for line in done.out.splitlines()] if done.code == 0 else []


@dataclass(frozen=True)
class Stack:
    """The variables, and the services of the active profiles; all services when these are unknown."""

    variables: dict[str, str]
    config: dict[str, Any]

    @property
    def project(self) -> str:
        return str(self.config.get("name") or self.variables.get("COMPOSE_PROJECT_NAME") or ROOT.name)

    @property
    def of_project(self) -> str:
        """The filter of docker's lists."""
        return f"label=com.docker.compose.project={self.project}"

    @cached_property
    def _services(self) -> list[dict[str, Any]]:
        return list(self.config.get("services", {}).values())

    def images(self) -> dict[str, str]:
        """{image: variable that names it}, of the images that are not built here."""
        used = {str(one.get("image")) for one in self._services}
        used |= {
            str(value) for one in self._services for value in ((one.get("build") or {}).get("args") or {}).values()
        }
        return {image: name for name, image in self._used("_IMAGE", used).items()}

    def ports(self) -> dict[str, str]:
        """{variable: port} of the ports that are published."""
        published = (port for one in self._services for port in one.get("ports") or [])
        return self._used("_PORT", {str(port.get("published")) for port in published})

    def _used(self, end: str, used: set[str]) -> dict[str, str]:
        ours = {name: value for name, value in sorted(self.variables.items()) if name.endswith(end)}
        return {name: value for name, value in ours.items() if value in used} if self._services else ours


def read_variables(files: Iterable[Path]) -> dict[str, str]:
    """As compose has them: a later file wins over an earlier one, the environment over all."""
    found: dict[str, str] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            refuse(f"{file}: expected variables for compose, cannot read them: {error.strerror}")
        matches = [match for line in lines if (match := VARIABLE.fullmatch(line))]
        found |= {match[1]: match[2].strip("'\"") for match in matches}
    return {name: os.environ.get(name, value) for name, value in found.items()}
