"""The real neighbours that integration tests share: an MLflow server of their own, and a machine image."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.mlflow.server import command, environment
from tests.support.built_image import machine_image
from tests.support.poll import PATIENCE
from tests.support.ports import free_port

__all__ = ["machine_image"]


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command(folder, port), stdout=log, stderr=log, cwd=folder, env=environment(os.environ)
        )
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", server, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="session")
def quick_java() -> Iterator[None]:
    """JVMs that compile once and are done: what is asked of them is over before the second compiler pays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


def _wait_until_healthy(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _is_healthy(url):
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"MLflow at {url} is not healthy after {PATIENCE:g} s; its log ends:\n{_tail(log)}")
        time.sleep(0.1)


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
