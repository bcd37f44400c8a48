"""A real MLflow on sqlite with many thousand runs: one is logged by REST, the others are copies in the database."""

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

from benchmarks.mlflow_rest import MlflowRest
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
    names.LIBRARIES_TAG,
    names.ENVIRONMENT_TAG,
    names.MACHINE_TAG,
)
TRAINED = {
    names.GIT_COMMIT_TAG: "0f6d8870" * 5,
    names.GIT_DIRTY_TAG: "false",
    names.PROVENANCE_TAG: "1b9d0c42" * 8,
    names.PREDICTIONS_TAG: "0f3a5b7c" * 8,
    names.MODEL_DIGEST_TAG: "65b895c1" * 8,
    **dict.fromkeys(_DIGESTED, "rows and digest, " * 5),
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
    """A running MLflow: its port, the file of its database, and the process id of which its workers are children."""

    port: int
    database: Path
    pid: int

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}"


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Starts MLflow with all its state in `folder`, and ends it. Raises Refused when it does not become healthy."""
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

    rest: MlflowRest
    name: str
    id: str

    @classmethod
    def create(cls, rest: MlflowRest, name: str) -> Self:
        return cls(rest, name, rest.post("experiments/create", name=name)["experiment_id"])

    def log_run(self, name: str) -> str:
        """The id of a finished run with tags, parameters, metrics and a model."""
        created = self.rest.post("runs/create", experiment_id=self.id, run_name=name, start_time=_STARTED)
        run: str = created["run"]["info"]["run_id"]
        self.rest.post(
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
        self.rest.log_model(self.id, run)
        self.rest.post("runs/update", run_id=run, status="FINISHED", end_time=_STARTED + _MINUTE)
        return run

    def promote(self, run: str, sequence: int) -> None:
        written = TagValue(sequence=sequence, at=datetime.fromtimestamp(_STARTED / 1000, UTC), who="ada")
        self.rest.post("runs/set-tag", run_id=run, key="promote", value=str(written))

    def deliver(self, run: str) -> None:
        """Writes the tags that a run has after its training and the stages of its first promotion.

        Their values are as long as those of the models that ship.
        """
        self.promote(run, 1)
        tags = {**TRAINED, **DELIVERED, names.NOTE_TAG: note("", DELIVERED)}
        self.rest.post("runs/log-batch", run_id=run, tags=[{"key": key, "value": value} for key, value in tags.items()])

    def all_runs(self, page: int = 1000) -> Iterator[list[Any]]:
        """All runs with all that was logged, page by page: how the plugin of 2018 looked for a promotion."""
        answer: dict[str, Any] = {"next_page_token": None}
        while "next_page_token" in answer:
            token = answer["next_page_token"]
            answer = self.rest.post("runs/search", experiment_ids=[self.id], max_results=page, page_token=token)
            yield answer.get("runs", [])


def copy_run(server: Server, run: str, copies: int) -> None:
    """Adds `copies` runs like `run` to the database, each with its own ids and model, half of them newer than it."""
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
    """Numbers the promoted runs of an experiment from 1 on in their tags, as their promotions would have."""
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
    """Copies the rows of `run` in `table`, once per row of `copy`; `changed` has the SQL of columns that differ."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    rows = f"SELECT {values} FROM {table} CROSS JOIN copy WHERE {key} = ?"  # noqa: S608  our own names
    database.execute(f"INSERT INTO {table} ({names}) {rows}", [run])  # noqa: S608  MLflow's names
