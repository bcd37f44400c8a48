"""`--master`: the same job on a Spark cluster, here a master and a worker in JVMs of their own."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest

from tests.support.paths import ROOT
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port

pytestmark = pytest.mark.needs("spark")

SPARK = Path(pyspark.__file__).parent
CARRIERS = ("AA", "B6", "DL", "UA")


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


@pytest.fixture
def master(quick_java: None, tmp_path: Path) -> Iterator[str]:  # noqa: ARG001
    port = str(free_port())
    of_master, of_worker, url = tmp_path / "master.log", tmp_path / "worker.log", f"spark://127.0.0.1:{port}"
    with jvm(of_master, "master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", "0"):
        poll_until(lambda: "elected leader" in of_master.read_text(), "the master to be up")
        limits = ["--cores", "1", "--memory", "1g", "--work-dir", str(tmp_path / "work")]
        with jvm(of_worker, "worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", *limits, url):
            poll_until(lambda: "Successfully registered" in of_worker.read_text(), "the worker to join")
            yield url


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


def test_a_model_is_trained_on_the_cluster_that_master_names(master: str, mlflow_url: str, tmp_path: Path) -> None:
    csv = flights(tmp_path / "flights.csv")
    command = [ROOT / "scripts" / "trackback", "train", "flight-delay", "--data", csv, "--master", master]
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
    assert "Registering app trackback" in (tmp_path / "master.log").read_text()
    assert "Asked to launch executor" in (tmp_path / "worker.log").read_text()
