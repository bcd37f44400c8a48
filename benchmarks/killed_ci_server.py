"""A CI server that is killed: a fork of a process that has imported everything, with jobs that cost next to nothing."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.forked import ForkedServer
from services.contract.record import write_atomically
from services.delivery.promotions.outcomes import fingerprint
from services.embedded.api.app import create_app
from services.embedded.plugin.interface import PluginReply
from services.embedded.polling.backoff import PollIntervals
from services.embedded.server import create_server
from services.embedded.state_lock import lock_state
from tests.support.embedded_ci import REPOSITORY, create_engine, new_package, pipeline, stage
from tests.support.embedded_fakes import FakePlugin, revision
from tests.support.poll import poll_until
from tests.support.ports import free_port

MODEL, ONLINE = "churn", "churn-online"
STAGES = {MODEL: ("fetch", "validate", "package"), ONLINE: ("deploy",)}
OFTEN = PollIntervals(poll=0.1, backoff=0.1, backoff_max=0.2)
Json = dict[str, Any]


class OfferedPlugin(FakePlugin):
    """Its newest revision is what a file says, because the promotions outlive the server."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def _latest(self, name: str, content: Json, timeout: float) -> PluginReply:
        with suppress(FileNotFoundError):
            self.offers[MODEL] = json.loads(self._file.read_text())
        return super()._latest(name, content, timeout)


class KilledCiServer(ForkedServer):
    """With its state below `folder`; `promoted` are the revisions in their order."""

    def __init__(self, folder: Path) -> None:
        self._state, self._offer, self._ran = folder / "state", folder / "offer.json", folder / "ran"
        self._port = free_port()
        self._state.mkdir()
        self._ran.touch()
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self._port}/go/api", timeout=60, trust_env=False)
        self.promoted: list[str] = []

    def start(self) -> None:
        """Returns when it answers."""
        self.fork(_serve, self._state, self._offer, self._ran, self._port)
        poll_until(self._answers, "the CI server", pause=0.01)

    def define(self) -> None:
        for path, version, body in (
            ("admin/repositories", 1, REPOSITORY),
            ("admin/packages", 2, new_package(MODEL)),
        ):
            headers = {"Accept": f"application/vnd.go.cd.v{version}+json"}
            self._http.post(path, headers=headers, json=body).raise_for_status()

    def promote(self) -> None:
        self.promoted.append(f"{len(self.promoted) + 1}-aaaaaaaa")
        write_atomically(self._offer, json.dumps(revision(self.promoted[-1])).encode())

    def stop(self) -> None:
        self.terminate()
        self._http.close()
        for job in self._jobs():
            job.kill()

    def ran_again(self) -> int:
        return sum(times - 1 for times in self._runs().values())

    def wrong(self) -> list[str]:
        """What does not hold now; a moment later it may."""
        return list(self._wrong())

    def _wrong(self) -> Iterator[str]:
        built, online = (self._history(name) for name in STAGES)
        yield from _wrong_instances(built)
        yield from _wrong_instances(online)
        listed = [one for instance in built for one in _revisions(instance)]
        # The plugin here offers the newest alone: one that came between two polls was seen by nobody.
        if not listed or listed[0] != self.promoted[-1]:
            yield f"I1: expected {self.promoted[-1]} to be built last, found {listed[:1]}"
        yield from (f"I1: {one} was seen, and no build has it" for one in self._seen(built) if one not in listed)
        yield from (f"I1: {one} came {times} times" for one, times in Counter(listed).items() if times > 1)
        deployed = Counter(one for instance in online for one in _revisions(instance))
        expected = {f"{MODEL}/{instance['counter']}/{STAGES[MODEL][-1]}/1": 1 for instance in built}
        if deployed != expected:
            yield f"I1: expected each of {len(built)} builds to be deployed once, found {dict(deployed)}"
        known = {_job(instance, one["name"]) for instance in (*built, *online) for one in instance["stages"]}
        if known != set(self._runs()):
            yield f"I1: jobs ran that no instance has, or the other way round: {sorted(known ^ set(self._runs()))}"
        if jobs := self._jobs():
            yield f"I4: {len(jobs)} jobs still run"
        yield from (f"I4: a temporary file was left: {path}" for path in self._state.rglob(".*"))
        yield from self._wrong_database()

    def _wrong_database(self) -> Iterator[str]:
        for file in self._state.glob("*.db"):
            with closing(sqlite3.connect(file)) as database:
                found = database.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                yield f"I5: {file.name}: {found}"

    def _seen(self, built: Sequence[Json]) -> list[str]:
        """The last ten that the server wrote down."""
        if not (package := fingerprint(built)):
            return []
        answer = self._http.get(f"materials/{package}/modifications", headers={"Accept": _V2}).raise_for_status()
        return [one["revision"] for one in answer.json()["_embedded"]["modifications"]]

    def _history(self, name: str) -> list[Json]:
        answer = self._http.get(f"pipelines/{name}/history?page_size=100", headers={"Accept": _V1}).raise_for_status()
        return list(answer.json()["pipelines"])

    def _runs(self) -> Counter[str]:
        return Counter(self._ran.read_text().splitlines())

    def _jobs(self) -> list[psutil.Process]:
        """Found from outside by their command lines."""
        found = psutil.process_iter(["cmdline", "status"])
        running = (one for one in found if one.info["status"] != psutil.STATUS_ZOMBIE)
        return [one for one in running if any(str(self._ran) in word for word in one.info["cmdline"] or [])]

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self._http.get("v1/health").status_code == 200
        return False


_V1, _V2 = (f"application/vnd.go.cd.v{version}+json" for version in (1, 2))


def _wrong_instances(instances: list[Json]) -> Iterator[str]:
    counters = [one["counter"] for one in instances]
    if counters != list(range(len(counters), 0, -1)):
        yield f"I1: expected counters without a gap, found {counters}"
    for instance in instances:
        ended = [(one["name"], str(one["counter"]), one.get("result")) for one in instance["stages"]]
        if ended != [(name, "1", "Passed") for name in STAGES[instance["name"]]]:
            yield f"I1: {instance['name']} {instance['counter']}: {ended}"


def _revisions(instance: Json) -> list[str]:
    """What it ran first, then what that superseded."""
    materials = instance["build_cause"]["material_revisions"]
    return [one["revision"] for material in materials for one in material["modifications"]]


def _job(instance: Json, stage_name: str) -> str:
    return f"{instance['name']}/{instance['counter']}/{stage_name}"


def _serve(state: Path, offer: Path, ran: Path, port: int) -> None:
    # No temporary file of a job may be one of this machine's.
    os.environ["TMPDIR"] = str(state)
    with lock_state(state):
        engine = create_engine(state, _pipelines(ran), OfferedPlugin(offer), OFTEN)
        engine.start()
        server = create_server(create_app(engine, ["127.0.0.1"]))
        server.config.port = port
        server.run()


def _pipelines(ran: Path) -> Json:
    line = f'echo "$GO_PIPELINE_NAME/$GO_PIPELINE_COUNTER/$GO_STAGE_NAME" >> {ran}; sleep 0.05'
    task = {"exec": {"command": "/bin/sh", "arguments": ["-c", line]}}
    upstream = {"release": {"pipeline": MODEL, "stage": STAGES[MODEL][-1]}}
    return {
        MODEL: pipeline(*(stage(name, task) for name in STAGES[MODEL])),
        ONLINE: pipeline(*(stage(name, task) for name in STAGES[ONLINE]), materials=upstream),
    }
