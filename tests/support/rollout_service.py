"""A real rollout service for tests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.contract import names
from services.contract.deployment import Deployment, ModelState
from services.contract.ledger import JournalEntry
from tests.support.paths import ROOT
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port
from tests.support.release_factory import ROWS

PROJECT = ROOT
MODEL = "diamond-price"
QUESTION = json.dumps({"instances": ROWS}).encode()
JSON = {"Content-Type": "application/json"}


class RolloutService:
    """`python -m services.rollout` on free ports, with its state below `folder` and `settings` of its backend."""

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None, token: str = "") -> None:
        # Longer than the address of a unix socket may be.
        self.store, self.state = folder / "store", folder / f"state-{'long' * 25}"
        self._port, self._first_port = free_port(), free_port()
        self._settings = settings or {}
        self._environments = folder / "environments"
        self._environments.mkdir()
        for name in ("prediction-sklearn", "prediction-onnx"):
            installed = PROJECT / ".venv" / name
            # The tests' own environment has the same libraries and more.
            (self._environments / name).symlink_to(installed if installed.is_dir() else sys.prefix)
        self._log = folder / "rollout.log"
        self._process: subprocess.Popen[bytes] | None = None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self._port}"
        self.http = httpx.Client(base_url=url, timeout=300, headers=headers, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._first_port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def spawn(self) -> "subprocess.Popen[bytes]":
        settings = {
            "PORT": self._port,
            "FIRST_PORT": self._first_port,
            "STATE": self.state,
            "STORE": self.store,
            "ENVIRONMENTS": self._environments,
            "DRAIN_SECONDS": 2,
            **self._settings,
        }
        variables = {f"TRACKBACK_ROLLOUT_{name}": str(value) for name, value in settings.items()}
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "services.rollout"]
            return subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **variables}, stdout=log, stderr=log)

    def start(self) -> None:
        self._process = self.spawn()
        poll_until(self._healthy, "the rollout service's health", pause=0.02)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        assert self._process
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def deploy(self, digest: str) -> httpx.Response:
        return self.http.post(f"/models/{MODEL}/deploy", json={"release": digest, "by": "ada"})

    def deployed(self, digest: str) -> Deployment:
        answer = self.deploy(digest)
        assert answer.status_code == 200, answer.text
        return Deployment.from_json(answer.content)

    def rollback(self, to: str | None = None) -> httpx.Response:
        return self.http.post(f"/models/{MODEL}/rollback", json={"by": "ada", "reason": "a test", "to": to})

    def order(self, order: str) -> httpx.Response:
        return self.http.post(f"/models/{MODEL}/step", json={"order": order, "by": "ada"})

    def ledger(self) -> list[JournalEntry]:
        return [JournalEntry.model_validate(one) for one in self.http.get(f"/models/{MODEL}/ledger").json()]

    def model(self) -> ModelState:
        return ModelState.from_json(self.http.get(f"/models/{MODEL}").content)

    def serving(self, digest: str = "") -> list[psutil.Process]:
        """The serving processes of this service without their workers, found from outside by their command lines."""
        ours = self._ours(digest)
        return [process for process in ours if process.info["ppid"] not in {other.pid for other in ours}]

    def workers(self, digest: str = "") -> list[psutil.Process]:
        """The processes that answer, also those whose parent has ended."""
        ours = self._ours(digest)
        return [process for process in ours if process.pid not in {other.info["ppid"] for other in ours}]

    def _ours(self, digest: str) -> list[psutil.Process]:
        found = psutil.process_iter(["cmdline", "ppid"])
        commands = [(process, process.info["cmdline"] or []) for process in found]
        ours = [(process, line) for process, line in commands if "services.prediction" in line]
        return [process for process, line in ours if str(self.store / "releases" / digest) in " ".join(line)]

    def log(self) -> str:
        return self._log.read_text()

    def _healthy(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log()
        try:
            return self.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running(service: RolloutService) -> Iterator[RolloutService]:
    service.start()
    try:
        yield service
    finally:
        service.stop()
        service.http.close()
        for process in [*service.serving(), *service.workers()]:
            process.kill()


def ask(url: str) -> tuple[str, list[Any]]:
    """The release that answers at `url` and its predictions for the factory's rows."""
    answer = httpx.post(f"{url}/invocations", content=QUESTION, headers=JSON, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.headers[names.RELEASE_HEADER], answer.json()["predictions"]
