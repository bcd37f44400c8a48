"""A rollout service of the drill's own, on free ports, with the releases that the gates let pass."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from demo.drills.catalogue import DRILLED_MODEL
from services.contract.checkout import ROOT
from services.contract.deployment import ModelState
from services.contract.errors import Refused
from services.contract.ledger import JournalEntry
from services.contract.waiting import wait_until

_STOP_SECONDS, _START_SECONDS, _ANSWER_SECONDS = 60.0, 60.0, 3600.0


class RolloutOfDrill:
    def __init__(self, port: int, first_port: int) -> None:
        self.url = f"http://127.0.0.1:{first_port}"
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_ANSWER_SECONDS, trust_env=False)

    def healthy(self) -> bool:
        try:
            return self._http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def deploy(self, digest: str) -> httpx.Response:
        return self._http.post(f"/models/{DRILLED_MODEL}/deploy", json={"release": digest, "by": "the drill"})

    def order(self, order: str) -> httpx.Response:
        return self._http.post(f"/models/{DRILLED_MODEL}/step", json={"order": order, "by": "the drill"})

    def model(self) -> ModelState:
        return ModelState.from_json(self._http.get(f"/models/{DRILLED_MODEL}").content)

    def ledger(self) -> list[JournalEntry]:
        found = self._http.get(f"/models/{DRILLED_MODEL}/ledger").json()
        return [JournalEntry.model_validate(one) for one in found]


@contextmanager
def serving(place: Path, environments: Path) -> Iterator[RolloutOfDrill]:
    """`place` has the store. Raises Refused when the service does not start."""
    port, first_port = _free_ports()
    settings = {
        "PORT": port,
        "FIRST_PORT": first_port,
        "STATE": place / "rollout",
        "STORE": place / "store",
        "ENVIRONMENTS": environments.absolute(),
        "DRAIN_SECONDS": 2,
    }
    variables = {f"TRACKBACK_ROLLOUT_{name}": str(value) for name, value in settings.items()}
    log = place / "rollout.log"
    with log.open("wb") as said:
        command = [sys.executable, "-P", "-m", "services.rollout"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    try:
        service = RolloutOfDrill(port, first_port)
        wait_until(lambda: _up(process, service, log), "the rollout service", _START_SECONDS)
        yield service
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _up(process: "subprocess.Popen[bytes]", service: RolloutOfDrill, log: Path) -> bool:
    if process.poll() is not None:
        raise Refused(f"expected the rollout service to start, found: {log.read_text(errors='replace')[-500:]}")
    return service.healthy()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as another:
        return one.getsockname()[1], another.getsockname()[1]
