"""An MLflow server of our own in which one run is a crowd: MLflow logs it, and its database copies it."""

import os
import socket
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx

from services.contract import names
from services.contract.errors import Refused
from services.contract.promotion import TagValue
from services.contract.waiting import wait_until
from services.delivery.reports.run_page import note
from services.mlflow.server import ADDRESS, command, environment

START_SECONDS = 300.0
TAGS, PARAMS, METRICS = 8, 10, 10
_DIGESTED = (
    names.TRAINING_DATA_TAG,
    names.HOLDOUT_TAG,
    names.SOURCES_TAG,
    names.LIBRARIES_TAG,
    names.ENVIRONMENT_TAG,
    names.MACHINE_TAG,
)
TRAINED = {
    names.GIT_COMMIT_TAG: "0f6d8870" * 5,
    names.GIT_DIRTY_TAG: "false",
    names.SCHEMA_TAG: "a column and its type, " * 11,
    names.MODEL_DIGEST_TAG: "65b895c1" * 8,
    **dict.fromkeys(_DIGESTED, "digest, place and rows, " * 5),
}
DELIVERED = {
    names.REASON_TAG: "the first model of this kind",
    names.REASON_FOR_TAG: "1 0123456789ab",
    names.OUTCOME_TAG: "delivered",
    names.VALIDATION_TAG: "2-ac1378b5 pass",
    names.COMPARISON_TAG: "2-ac1378b5 pass: not worse than live: mean_absolute_error 264.9, live 1-2eccd829 has 740.2; "
    "it is 461.3 to 489.2 better with 95% confidence, at least -14.8 is required",
    names.RELEASE_TAG: "2-ac1378b5 f8f770751a63",
    names.LIVE_TAG: "2-ac1378b5 since 2026-11-27 08:01:08 UTC until 2026-11-27 08:01:45 UTC",
    names.PIPELINE_TAG: "http://127.0.0.1:8153/go/pipelines/value_stream_map/diamond-price/2",
}
_STARTED, _MINUTE = 1_795_334_400_000, 60_000


@dataclass(frozen=True)
class Server:
    """A running MLflow, the file with its database, and the process that all its others are children of."""

    port: int
    database: Path
    pid: int

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}"


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """All its state is in `folder`. Raises Refused when it does not come up."""
    port, log = _free_port(), folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(folder, port), stdout=output, stderr=output, cwd=folder, env=environment(os.environ)
        )
    server = Server(port, folder / "mlflow.db", process.pid)
    try:
        _wait_until_healthy(server, process, log)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def found() -> str:
        return f"found in its log: {(log.read_text(errors='replace').splitlines() or ['nothing'])[-1]}"

    def answers() -> bool:
        if process.poll() is not None:
            raise Refused(f"expected MLflow at {server.url}, it ended: {found()}")
        return _is_healthy(server)

    wait_until(answers, f"MLflow at {server.url}", START_SECONDS, found=found)


def _is_healthy(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.url}/health", timeout=2) as answer:  # noqa: S310  our own http URL
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True)
class Experiment:
    """An experiment in MLflow, over REST."""

    rest: httpx.Client
    name: str
    id: str

    @classmethod
    def create(cls, rest: httpx.Client, name: str) -> Self:
        return cls(rest, name, _post(rest, "experiments/create", name=name)["experiment_id"])

    def log_run(self, name: str) -> str:
        """The id of a finished run with tags, parameters, metrics and a model."""
        created = self._post("runs/create", experiment_id=self.id, run_name=name, start_time=_STARTED)
        run: str = created["run"]["info"]["run_id"]
        self._post(
            "runs/log-batch",
            run_id=run,
            # The run's name is a tag as well.
            tags=[{"key": f"mlflow.tag.{number}", "value": f"a word or two, {number}"} for number in range(1, TAGS)],
            params=[{"key": f"param_{number}", "value": str(number / 10)} for number in range(PARAMS)],
            metrics=[
                {"key": f"metric_{number}", "value": number / 7, "timestamp": _STARTED, "step": 0}
                for number in range(METRICS)
            ],
        )
        self._log_model(run)
        self._post("runs/update", run_id=run, status="FINISHED", end_time=_STARTED + _MINUTE)
        return run

    def _log_model(self, run: str) -> None:
        logged = self._post("logged-models", experiment_id=self.id, name="model", source_run_id=run)
        self._post("runs/outputs", run_id=run, models=[{"model_id": logged["model"]["info"]["model_id"], "step": 0}])

    def promote(self, run: str, sequence: int) -> None:
        written = TagValue(sequence=sequence, at=datetime.fromtimestamp(_STARTED / 1000, UTC), who="ada")
        self._post("runs/set-tag", run_id=run, key="promote", value=str(written))

    def deliver(self, run: str) -> None:
        """The run as it stands after its training and the stages of its promotion, the first, have told of themselves.

        The values are as long as those of the models that ship.
        """
        self.promote(run, 1)
        tags = {**TRAINED, **DELIVERED, names.NOTE_TAG: note("", DELIVERED)}
        self._post("runs/log-batch", run_id=run, tags=[{"key": key, "value": value} for key, value in tags.items()])

    def all_runs(self, page: int = 1000) -> Iterator[list[Any]]:
        """Page by page, each with all that MLflow knows of its runs: how the plugin of 2018 looked for a promotion."""
        answer: dict[str, Any] = {"next_page_token": None}
        while "next_page_token" in answer:
            token = answer["next_page_token"]
            answer = self._post("runs/search", experiment_ids=[self.id], max_results=page, page_token=token)
            yield answer.get("runs", [])

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return _post(self.rest, path, **body)


def rest(url: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=120, trust_env=False)


def _post(rest: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = rest.post(path, json=body)
    if answer.is_error:
        raise Refused(f"expected MLflow to accept {path}, found {answer.status_code}: {answer.text}")
    found: dict[str, Any] = answer.json()
    return found


def copy_run(server: Server, run: str, copies: int) -> None:
    """Gives MLflow `copies` more runs like `run`, each with ids and a model of its own, half of them newer than it."""
    with closing(sqlite3.connect(server.database, timeout=20)) as database, database:
        # Ids are random, so that every row lands elsewhere in its indexes, and these fit into 200 MB.
        database.execute("PRAGMA cache_size = -200000")
        database.execute("CREATE TEMP TABLE copy (number INTEGER, run TEXT, model TEXT)")
        database.execute(
            "INSERT INTO copy WITH RECURSIVE numbers(number) AS"
            " (SELECT 1 WHERE :copies > 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < :copies)"
            " SELECT number, lower(hex(randomblob(16))), 'm-' || lower(hex(randomblob(16))) FROM numbers",
            {"copies": copies},
        )
        shift = f"+ (copy.number - {copies // 2}) * {_MINUTE}"
        times = {"start_time": f"start_time {shift}", "end_time": f"end_time {shift}"}
        artifacts = "replace(artifact_uri, run_uuid, copy.run)"
        _copy(database, "runs", run, {"run_uuid": "copy.run", "artifact_uri": artifacts, **times})
        for table in ("tags", "params", "metrics", "latest_metrics"):
            _copy(database, table, run, {"run_uuid": "copy.run"})
        location = "replace(artifact_location, model_id, copy.model)"
        model = {"model_id": "copy.model", "source_run_id": "copy.run", "artifact_location": location}
        _copy(database, "logged_models", run, model, key="source_run_id")
        output = {"input_uuid": "lower(hex(randomblob(16)))", "source_id": "copy.run", "destination_id": "copy.model"}
        _copy(database, "inputs", run, output, key="source_id")


def number_promotions(server: Server, experiment: str) -> None:
    """Gives the promoted runs of an experiment the numbers from 1 on, as their promotions would have."""
    with closing(sqlite3.connect(server.database, timeout=20)) as database, database:
        database.execute(
            "WITH promoted AS (SELECT run_uuid, row_number() OVER (ORDER BY start_time) AS number FROM tags"
            " JOIN runs USING (run_uuid) WHERE key = :tag AND experiment_id = :experiment)"
            " UPDATE tags SET value = promoted.number || substr(value, instr(value, ' '))"
            " FROM promoted WHERE tags.run_uuid = promoted.run_uuid AND key = :tag",
            {"tag": names.PROMOTE_TAG, "experiment": int(experiment)},
        )


def _copy(
    database: sqlite3.Connection, table: str, run: str, changed: Mapping[str, str], key: str = "run_uuid"
) -> None:
    """The table's rows of `run`, once for each copy, with the changed columns' SQL in place of their values."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    rows = f"SELECT {values} FROM {table} CROSS JOIN copy WHERE {key} = ?"  # noqa: S608  our own names
    database.execute(f"INSERT INTO {table} ({names}) {rows}", [run])  # noqa: S608  MLflow's names
