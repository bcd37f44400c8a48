"""The compose stack as a test starts it: on stand-ins and ports of its own, with a project name of its own.

As a program it builds the images and no more.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from testcontainers.compose import DockerCompose

from services.platform.settings import Urls
from tests.support.paths import ROOT
from tests.support.ports import free_ports

PORTS = ("MLFLOW_PORT", "GOCD_PORT", "ROLLOUT_PORT", "GATEWAY_PORT", "REGISTRY_PORT", "GRAFANA_PORT", "PROMETHEUS_PORT")
BUILD_SECONDS = 1200


@dataclass(frozen=True)
class Stack:
    """A stack that is up; `variables` lead compose to it, `secrets` are what its owner is shown."""

    variables: dict[str, str]
    secrets: dict[str, str]

    @property
    def urls(self) -> Urls:
        mlflow, gocd, rollout = (f"http://127.0.0.1:{self.variables[port]}" for port in PORTS[:3])
        return Urls(mlflow=mlflow, gocd=f"{gocd}/go", rollout=rollout)

    @property
    def project(self) -> str:
        return self.variables["COMPOSE_PROJECT_NAME"]

    def docker(self, *words: str, seconds: float = 120) -> str:
        return run("docker", *words, seconds=seconds)

    def command(self, *words: str, seconds: float = 300) -> str:
        with environment(self.variables):
            return run("docker", "compose", *words, seconds=seconds)


def run(*words: str, seconds: float) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def environment(added: dict[str, str]) -> Iterator[None]:
    """Commands inside of the block mean this stack; those of other tests do not."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in added.items():
            patch.setenv(name, value)
        yield


def variables(file: Path, project: str) -> dict[str, str]:
    """Those of .env and of `file`, on ports that are free."""
    found = {}
    for source in (ROOT / ".env", file):
        lines = [line.partition("=") for line in source.read_text().splitlines() if not line.startswith("#")]
        found.update({name: value for name, _, value in lines if name})
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    return {**found, **ports, "COMPOSE_PROJECT_NAME": project, "TESTCONTAINERS_RYUK_DISABLED": "true"}


def build(project: str) -> dict[str, str]:
    """Every image of the stack; the variables that mean the stack."""
    file = Path(os.environ.get("TRACKBACK_COMPOSE_ENV", ROOT / "tests" / "offline" / "offline.env"))
    found = variables(file, project)
    with environment(found):
        if file.name == "offline.env":
            run("tests/offline/images", seconds=BUILD_SECONDS)
        # --profile puts the profiles of the variable out of force.
        for profile in ((), ("--profile", "jobs")):
            run("docker", "compose", *profile, "build", "--quiet", seconds=BUILD_SECONDS)
    return found


@contextmanager
def running_stack(project: str) -> Iterator[Stack]:
    """Built where needed, up inside of the block, gone with its volumes afterwards."""
    found = build(project)
    compose = DockerCompose(ROOT, wait=True)
    try:
        with environment(found):
            _start(compose)
            shown = run("scripts/secrets", "show", seconds=60)
        yield Stack(found, dict(line.split("=", 1) for line in shown.splitlines()))
    finally:
        with environment(found):
            compose.stop()


def _start(compose: DockerCompose) -> None:
    """Up, or an AssertionError with what compose said of it: its exit status alone names no part."""
    try:
        compose.start()
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"docker compose up: {error.stderr.decode(errors='replace')[-2000:]}") from None


if __name__ == "__main__":
    build("trackback-images")
