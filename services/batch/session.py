"""The Spark session of a batch: on this machine unless a master is named, quiet, and with the release's own Python."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from services.contract.java import refuse_without_java, without_session
from services.contract.signals import keeping_interrupt
from services.contract.spark import ON_THIS_MACHINE, SESSION_SETTINGS

# Where a task is tried once only, an interpreter that is killed would end the batch.
_ATTEMPTS = 4
_ON_THIS_MACHINE = re.compile(r"local(\[(\d+|\*)\])?")
_STDERR = 2
_NO_LOGGING = "rootLogger.level = off\nlogger.gateway.name = org.apache.spark.api.python.PythonGatewayServer\n"
_SETTINGS = {
    **SESSION_SETTINGS,
    "spark.sql.session.timeZone": "UTC",
    # A batch of rows for one call of the model.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16384",
    # libgomp reads it once, when the library is imported: a task is one core.
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    "spark.executorEnv.PYDANTIC_DISABLE_PLUGINS": "__all__",
    # A store of objects knows no attempt of another task, and nothing is read before its record is there.
    "spark.speculation": "false",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "true",
}


@contextmanager
def session(master: str, python: str, settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """`python` is the interpreter of the executors' workers.

    Raises Refused when there is no Java or the master does not answer.
    """
    refuse_without_java()
    # Only here Spark looks for it when it is no script that was submitted.
    os.environ["PYSPARK_PYTHON"] = python
    started = _started(master, settings)
    try:
        yield started
    finally:
        _stop(started)


def is_local(master: str) -> bool:
    return master.startswith("local")


def with_attempts(master: str) -> str:
    """`local[2]` tries each task once, `local[2,4]` four times, as clusters do."""
    if found := _ON_THIS_MACHINE.fullmatch(master):
        return f"local[{found[2] or 1},{_ATTEMPTS}]"
    return master


def _started(master: str, settings: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder.appName("trackback score").master(with_attempts(master))
    here = ON_THIS_MACHINE if is_local(master) else {}
    with _quiet() as quiet, keeping_interrupt():
        for key, value in {**_SETTINGS, **here, **quiet, **settings}.items():
            builder = builder.config(key, value)
        try:
            return builder.getOrCreate()
        except (PySparkException, Py4JError, OSError) as error:
            raise without_session(master, error) from error


def _stop(started: SparkSession) -> None:
    try:
        started.stop()
    # A JVM that has gone cannot be stopped, and what it was asked has failed before.
    except (PySparkException, Py4JError, OSError):
        return


@contextmanager
def _quiet() -> Iterator[dict[str, str]]:
    """The setting that ends the JVM's log, which reads it once; what it prints before that goes nowhere as well."""
    with tempfile.TemporaryDirectory() as temporary, _nothing_said():
        file = Path(temporary) / "log4j2.properties"
        file.write_text(_NO_LOGGING)
        yield {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={file.as_uri()}"}


@contextmanager
def _nothing_said() -> Iterator[None]:
    """The JVM inherits the place of stderr."""
    stderr = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(stderr, _STDERR)
        os.close(stderr)
