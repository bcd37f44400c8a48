"""One run of an MLflow over HTTP: its tags, which may be written, and the experiment that it is in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.web_receiver import Receiver, receiving


@dataclass
class PlayedRun:
    """`url` is MLflow's."""

    run_id: str = "a" * 32
    experiment: str = "diamond-price"
    tags: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def answer(self, _: str, path: str, body: bytes) -> tuple[int, bytes]:
        match urlsplit(path).path.rpartition("/mlflow/")[2]:
            case "runs/get":
                found: dict[str, Any] = {"run": {"info": self._info(), "data": {"tags": self._listed()}}}
            case "experiments/get":
                found = {"experiment": {"name": self.experiment}}
            case "runs/log-batch":
                self.tags |= {one["key"]: one["value"] for one in json.loads(body)["tags"]}
                found = {}
            case _:
                return 404, b"{}"
        return 200, json.dumps(found).encode()

    def _info(self) -> dict[str, str]:
        known = {"run_id": self.run_id, "experiment_id": "1", "status": "FINISHED", "lifecycle_stage": "active"}
        return {**known, "artifact_uri": "s3://elsewhere"}

    def _listed(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self.tags.items()]


@contextmanager
def playing(run: PlayedRun) -> Iterator[PlayedRun]:
    with receiving(Receiver(run.answer)) as receiver:
        run.url = receiver.url
        yield run
