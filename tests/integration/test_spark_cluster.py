"""`--master`: the same job on a Spark cluster, here a master and two workers in JVMs of their own."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy
import psutil
import pyarrow
import pyspark
import pytest
from pyarrow import parquet

from services.contract.receipt import Receipt
from services.contract.release import Release
from services.prediction.predictor import load_predictor
from tests.support.paths import ROOT
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port
from tests.support.release_factory import build_release
from tests.support.s3_store import Objects, object_store

pytestmark = pytest.mark.needs("spark", "s3a")

SPARK = Path(pyspark.__file__).parent
CARRIERS = ("AA", "B6", "DL", "UA")
WORKERS, FILES, ROWS = 2, 5, 20_000


@dataclass(frozen=True)
class Cluster:
    url: str
    folder: Path

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def interpreters(self) -> list[psutil.Process]:
        """The Python workers of its executors; the one that forks them is not among them."""
        found = [one for one in psutil.process_iter() if _is_below(one, self.folder)]
        return [one for one in found if _parent_name(one).startswith("python")]


def _is_below(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name().startswith("python") and process.cwd().startswith(str(folder))
    except psutil.Error:
        return False


def _parent_name(process: psutil.Process) -> str:
    try:
        parent = process.parent()
        return parent.name() if parent else ""
    except psutil.Error:
        return ""


@contextmanager
def jvm(log: Path, role: str, *arguments: str) -> Iterator[None]:
    """A part of Spark's standalone cluster."""
    command = [str(SPARK / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", *arguments]
    environment = {**os.environ, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def cluster(quick_java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:  # noqa: ARG001
    folder, port = tmp_path_factory.mktemp("cluster"), str(free_port())
    found = Cluster(f"spark://127.0.0.1:{port}", folder)
    with ExitStack() as parts:
        address = ["--host", "127.0.0.1", "--webui-port", "0"]
        parts.enter_context(jvm(folder / "master.log", "master.Master", *address, "--port", port))
        poll_until(lambda: "elected leader" in found.log("master"), "the master to be up")
        for worker in (f"worker-{number}" for number in range(WORKERS)):
            limits = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / worker)]
            parts.enter_context(jvm(folder / f"{worker}.log", "worker.Worker", *address, *limits, found.url))
        for number in range(WORKERS):
            name = f"worker-{number}"
            poll_until(lambda name=name: "Successfully registered" in found.log(name), f"{name} to join")  # type: ignore[misc]
        yield found


@pytest.fixture
def store() -> Iterator[Objects]:
    with object_store() as objects:
        yield objects


def flights(path: Path) -> Path:
    """Made-up ones, of which those after noon are late."""
    header = "carrier,origin,destination,month,weekday,hour,distance,temp,humid,wind_speed,precip,pressure,visib,late"
    rows = [
        f"{CARRIERS[n % 4]},EWR,LAX,{n % 12 + 1},{n % 7},{n % 24},{500 + n},60.5,50,10,0,{'' if n % 9 else 1010},10,"
        f"{int(n % 24 > 12)}"
        for n in range(600)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_model_is_trained_on_the_cluster_that_master_names(cluster: Cluster, mlflow_url: str, tmp_path: Path) -> None:
    csv = flights(tmp_path / "flights.csv")
    command = [ROOT / "scripts" / "trackback", "train", "flight-delay", "--data", csv, "--master", cluster.url]
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "MLFLOW_TRACKING_URI": mlflow_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["average_precision_score"] == pytest.approx(1, abs=0.01)
    assert "Registering app trackback" in cluster.log("master")
    assert "Asked to launch executor" in cluster.log("worker-0") + cluster.log("worker-1")


def diamonds(objects: Objects) -> list[tuple[float, str, int]]:
    """Made-up ones, in files of more than 1 MiB, so that no two are committed together."""
    random = numpy.random.default_rng(3)
    rows = []
    for number in range(FILES):
        carat, grade = random.uniform(0.2, 3, ROWS), random.integers(1, 5, ROWS)
        cut = random.choice(["Ideal", "Fair", "Good"], ROWS)
        table = pyarrow.table(
            {"carat": carat, "cut": cut, "grade": grade, "note": [random.bytes(30).hex() for _ in cut]}
        )
        parquet.write_table(table, sink := pyarrow.BufferOutputStream())
        objects.content[f"data/rows/part-{number}.parquet"] = sink.getvalue().to_pybytes()
        rows += list(zip(carat.tolist(), cut.tolist(), grade.tolist(), strict=True))
    return rows


def records(objects: Objects) -> list[str]:
    """Of parts that are whole."""
    return [key for key in objects.below("data/_out.trackback/records/") if key.endswith(".json")]


def answers(objects: Objects, receipt: Receipt) -> dict[tuple[float, str, int], float]:
    """What stands in the output, by the kept columns."""
    found = objects.below("data/out/")
    tables = [parquet.read_table(pyarrow.BufferReader(found[one.path])) for one in receipt.outputs]
    columns = (pyarrow.concat_tables(tables)[name].to_pylist() for name in ("carat", "cut", "grade", "prediction"))
    return {(carat, cut, grade): prediction for carat, cut, grade, prediction in zip(*columns, strict=True)}


def command_of(process: psutil.Process) -> list[str]:
    """Empty for one that has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class Scoring:
    """`trackback score` on the cluster, from a store of objects and to it."""

    def __init__(self, cluster: Cluster, objects: Objects, store: Path, release: Release, log: Path) -> None:
        self.log = log
        place = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "secret", "MLFLOW_S3_ENDPOINT_URL": objects.url}
        told = {"TRACKBACK_STORE": str(store), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
        command = [str(ROOT / "scripts" / "trackback"), "score", "diamond-price", "--release", release.digest[:12]]
        command += ["--input", "s3a://data/rows", "--output", "s3a://data/out", "--master", cluster.url]
        command += ["--keep", "carat,cut,grade", "--part-mib", "2"]
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, env={**os.environ, **place, **told}, stdout=subprocess.PIPE, stderr=stderr
            )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def driver(self) -> psutil.Process:
        (found,) = [
            one
            for one in psutil.Process(self.process.pid).children(recursive=True)
            if "services.batch" in command_of(one)
        ]
        return found

    def receipt(self) -> Receipt:
        said, _ = self.process.communicate(timeout=PATIENCE * 10)
        assert self.process.returncode == 0, self.log.read_text()
        return Receipt.from_json(said)


def test_a_batch_whose_driver_and_interpreters_are_killed_answers_every_row_once_as_the_online_service_does(
    cluster: Cluster, store: Objects, tmp_path: Path
) -> None:
    rows, release = diamonds(store), build_release(tmp_path / "store")
    first = Scoring(cluster, store, tmp_path / "store", release, tmp_path / "first.log")
    poll_until(lambda: first.has_ended or records(store), "a whole part", PATIENCE * 5)
    assert not first.has_ended, first.log.read_text()
    first.driver().kill()
    assert first.process.communicate(timeout=PATIENCE)[0] == b""
    assert first.process.returncode == 1
    assert store.below("data/out/") == {}
    again = Scoring(cluster, store, tmp_path / "store", release, tmp_path / "again.log")
    for one in poll_until(cluster.interpreters, "an executor's Python", PATIENCE * 5):
        one.kill()
    receipt = again.receipt()
    assert re.match(rf"goes on: [1-9] of {FILES} parts", again.log.read_text())
    assert (receipt.rows_in, receipt.rows_scored, receipt.rows_rejected) == (len(rows), len(rows), 0)
    assert "_SUCCESS" in store.below("data/out/")
    assert store.below("data/_out.trackback") == {}
    predictor = load_predictor(tmp_path / "store" / "releases" / release.digest, release.digest)
    assert answers(store, receipt) == dict(zip(rows, predictor.ask(rows), strict=True))
