"""A rollout service that is killed: its process is a fork of one that has imported everything, so a start is cheap."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.forked import ForkedServer
from services.contract.control_protocol import Command, ServingState, Verb
from services.contract.deployment import ModelState
from services.contract.errors import Refused
from services.rollout.__main__ import main
from services.rollout.fail_points import EXPENDABLE, FAIL_AT
from services.rollout.processes.control_client import send_command
from services.rollout.processes.serving_process import ProcessRecord
from services.rollout.state import ModelFiles
from tests.support.poll import poll_until
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan
from tests.support.rollout_invariants import wrong_in_files, wrong_processes

MODEL = ReleasePlan.model
SERVING = Path(__file__).with_name("cheap_serving.py")


class KilledService(ForkedServer):
    """With its state and its store below `folder`, and serving processes that cost next to nothing."""

    def __init__(self, folder: Path) -> None:
        self.store, self.state, self._log = folder / "store", folder / "state", folder / "rollout.log"
        self._port, self._first_port = free_port(), free_port()
        self._environments = folder / "environments"
        self.state.mkdir()
        (self.state / EXPENDABLE).touch()
        _cheap_python(self._environments / "prediction-sklearn" / "bin" / "python")
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=120, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._first_port}"

    def start(self, fail_at: str = "") -> None:
        """Returns when it answers, or has killed itself."""
        settings = {
            "PORT": self._port,
            "FIRST_PORT": self._first_port,
            "STATE": self.state,
            "STORE": self.store,
            "ENVIRONMENTS": self._environments,
            "DRAIN_SECONDS": 1,
        }
        variables = {f"TRACKBACK_ROLLOUT_{name}": str(value) for name, value in settings.items()} | {FAIL_AT: fail_at}
        self.fork(_serve, variables, self._log)
        poll_until(lambda: self.has_ended() or self._answers(), "the rollout service's health", pause=0.005)

    def stop(self) -> None:
        self.terminate()
        self.http.close()
        self.end_what_serves()

    def end_what_serves(self) -> None:
        for one in self._processes():
            one.kill()

    def model(self) -> ModelState:
        return ModelState.from_json(self.http.get(f"/models/{MODEL}").content)

    def wrong(self) -> list[str]:
        """What does not hold now; a moment later it may."""
        return list(self._wrong())

    def told(self) -> str:
        return self._log.read_text()

    def _wrong(self) -> Iterator[str]:
        pointer = ModelFiles(self.state, MODEL).pointer()
        live = pointer.live if pointer else None
        records = {path.with_suffix(""): ProcessRecord.read(path) for path in (self.state / "_run").glob("[!.]*.json")}
        running = {one.pid for one in self._processes()}
        if running != {one.pid for one in records.values()}:
            yield f"I4: processes {sorted(running)} run, {sorted(one.pid for one in records.values())} are known"
        accepting = [one.release for path, one in records.items() if _accepts(path)]
        yield from wrong_processes(accepting, [one.release for one in records.values()], pointer)
        yield from wrong_in_files(self.state, self.store, MODEL)
        known = {path.name for path in records}
        for path in (self.state / "_run").iterdir():
            if path.name.partition(".")[0] not in known:
                yield f"I4: left behind: {path.name}"
            if path.suffix == ".split" and not self.model().step:
                yield f"I2: {path.name}: it hands requests on outside of a step"
        holder = (self.state / "lock").read_text().partition(" ")[0]
        if holder != str(self.pid):
            yield f"I4: the lock names process {holder}"
        if live and (found := self._answering()) != {live.release}:
            yield f"I2: expected {live.release[:8]} to answer, found {found}"

    def _answering(self) -> set[str]:
        answers = [httpx.post(f"{self.url}/invocations", content=b"{}", trust_env=False) for _ in range(3)]
        return {answer.headers["X-Trackback-Release"] for answer in answers}

    def _processes(self) -> list[psutil.Process]:
        """That serve for this, found from outside by their command lines."""
        releases = str(self.store / "releases")
        found = psutil.process_iter(["cmdline", "status"])
        running = (one for one in found if one.info["status"] != psutil.STATUS_ZOMBIE)
        return [one for one in running if any(word.startswith(releases) for word in one.info["cmdline"] or [])]

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self.http.get("/health").status_code == 200
        return False


def _serve(variables: Mapping[str, str], log: Path) -> None:
    with log.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    os.environ.update(variables)
    sys.exit(main([]))


def _accepts(control: Path) -> bool:
    with suppress(Refused):
        return send_command(control, Command(verb=Verb.STATUS))[0].state is ServingState.ACCEPTING
    return False


def _cheap_python(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {SERVING} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
