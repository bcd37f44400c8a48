"""usage: python -m benchmarks.batch_ways WAY MASTER SUBJECT: scores the rows of a subject each time that a line comes.

Each line on stdin is answered by one on stdout: how long it took, and how much memory a Python process had at most.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import mlflow.pyfunc
import mlflow.spark
import pandas
import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import struct

from benchmarks.batch_records import Subject, Took
from services.batch.by_form import FormScorer
from services.batch.files import Files
from services.batch.inputs import read_input
from services.batch.session import session
from services.batch.shipping import ship
from services.contract.batch_job import BatchJob
from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.open_release import open_release
from services.delivery.settings import Settings

# Of spark_udf, by the library: how its pyfunc answers. That of MLlib tells no probability.
_ANSWERS = {"sklearn": "double", "fasttext": "label string, probability double", "spark": "double"}
_CHUNK = 10_000
_PART_BYTES = 64 << 20

Run = Callable[[], object]
Way = Callable[[Subject, str], AbstractContextManager[Run]]


@contextmanager
def score(subject: Subject, master: str) -> Iterator[Run]:
    """As `trackback score` does: from Arrow to Arrow, in the environment of the release."""
    python = python_of(f"prediction-{subject.runtime}", Settings().environments)
    job = BatchJob(
        release=subject.digest,
        folder=str(subject.release),
        python=str(python),
        input=subject.input.as_uri(),
        output=subject.input.as_uri(),
        format="parquet",
        master=master,
        part_bytes=_PART_BYTES,
        compared_with="nothing",
    )
    release, _ = open_release(subject.release, subject.digest)
    with tempfile.TemporaryDirectory() as folder, session(master, *ship(job, Path(folder))) as spark:
        found = read_input(spark, Files(spark.sparkContext), job)
        rows = found.frame([file.path for file in found.files])
        scored = FormScorer(job, release, found).scored(rows)
        yield lambda: _thrown_away(scored)


@contextmanager
def native(subject: Subject, master: str) -> Iterator[Run]:
    """Spark's own transform of the pipeline."""
    with _spark(master) as spark, tempfile.TemporaryDirectory() as folder:
        model = mlflow.spark.load_model(str(subject.mlflow_model), dfs_tmpdir=folder)
        answers = model.transform(_rows(spark, subject)).select("prediction", "probability")
        yield lambda: _thrown_away(answers)


@contextmanager
def spark_udf(subject: Subject, master: str) -> Iterator[Run]:
    """As MLflow's documentation says."""
    with _spark(master) as spark:
        rows = _rows(spark, subject)
        answer = mlflow.pyfunc.spark_udf(
            spark, str(subject.mlflow_model), result_type=_ANSWERS[subject.library], env_manager="local"
        )
        answers = rows.select(answer(struct(*rows.columns)).alias("answer"))
        yield lambda: _thrown_away(answers)


@contextmanager
def pandas_loop(subject: Subject, _master: str) -> Iterator[Run]:
    """MLflow's pyfunc, asked for some thousand rows at a time by one process."""
    model = mlflow.pyfunc.load_model(str(subject.mlflow_model))

    def run() -> None:
        rows = pandas.read_parquet(subject.input)
        for first in range(0, len(rows), _CHUNK):
            model.predict(rows.iloc[first : first + _CHUNK])

    yield run


WAYS: dict[str, Way] = {"score": score, "native": native, "spark_udf": spark_udf, "pandas": pandas_loop}


def _spark(master: str) -> AbstractContextManager[SparkSession]:
    """With the settings of `trackback score`, so that the way alone differs."""
    return session(master, sys.executable, {"spark.executorEnv.PYTHONPATH": str(ROOT)})


def _rows(spark: SparkSession, subject: Subject) -> DataFrame:
    return spark.read.parquet(str(subject.input))


def _thrown_away(answers: DataFrame) -> None:
    """Each row is computed, none is written."""
    answers.write.format("noop").mode("overwrite").save()


def _peak_bytes(way: str) -> int:
    own = psutil.Process()
    processes = [own] if way == "pandas" else own.children(recursive=True)
    return max((_peak(one) for one in processes if "python" in one.name()), default=0)


def _peak(process: psutil.Process) -> int:
    """As the kernel has kept it: `VmHWM`, in KiB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(found.split()[1]) * 1024


def main(way: str, master: str, subject: str) -> None:
    with WAYS[way](Subject.read(Path(subject)), master) as run:
        for _ in sys.stdin:
            began = time.monotonic()
            run()
            took = Took(seconds=time.monotonic() - began, peak_bytes=_peak_bytes(way))
            sys.stdout.write(took.model_dump_json() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
