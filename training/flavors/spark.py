"""Spark MLlib: fitted on this machine or on a cluster, logged so that the model has an id of its own."""

import os
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pandas
import pyarrow
from mlflow.models import Model, ModelSignature
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import GBTClassificationModel, LogisticRegressionModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession

from services.contract import names
from services.contract.errors import Refused, jvm_reason
from services.contract.model_config import Data, ModelConfig
from services.contract.prediction import Prediction
from services.contract.spark import (
    LOCALHOST,
    ON_THIS_MACHINE,
    SESSION_SETTINGS,
    binary_predictions,
    refuse_without_probability,
)
from services.contract.task import Task
from training.dataset import read_csv

# MLflow's pyfunc imports Spark Connect, which ends the process with exit 0 when one of the last three is missing.
LIBRARIES = ("mlflow", "pyspark", "pyarrow", "numpy", "pandas", "grpcio", "grpcio-status", "zstandard")
RUNS_ON_A_CLUSTER = True

_EPOCH, _SECOND = pandas.Timestamp(0), pandas.Timedelta(seconds=1)
_SETTINGS = {
    **SESSION_SETTINGS,
    # Rows in a partition, however many cores there are: trees take their thresholds from a sample of each.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
}
# Spark's defaults log a greeting. Its gateway sets the level anew unless it has one of its own.
_LOGGING = """
rootLogger.level = error
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n%ex{1}
"""


def read(path: Path, data: Data, task: Task) -> pandas.DataFrame:
    """The declared columns of a CSV file. Raises Refused, naming the column or row that is wrong."""
    return read_csv(path, data, task)


def check(plan: Any, config: ModelConfig) -> None:  # noqa: ARG001
    """Raises Refused unless `plan` can be called: there is no pipeline before there is a session."""
    if not callable(plan):
        raise Refused(f"expected `build` to return a function that returns an unfitted Pipeline, found {plan!r}")


def fit(
    plan: Callable[[], Pipeline], inputs: pandas.DataFrame, target: pandas.Series, master: str | None
) -> PipelineModel:
    """`plan` is called when there is a session, because Spark cannot make a stage without one.

    Raises Refused, with Spark's own reason, when the pipeline cannot be made or fitted on these rows.
    """
    frame = _frame(_session(master), {**_columns(inputs), str(target.name): target}).cache()
    try:
        return plan().fit(frame)
    except (PySparkException, Py4JError, TypeError) as error:
        raise Refused(
            f"expected a pipeline that can be fitted on these rows, cannot fit it: {jvm_reason(error)}"
        ) from error
    finally:
        frame.unpersist()


def predict(model: PipelineModel, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    """Raises Refused for a model that answers anything but 0 or 1 with a probability."""
    answers = model.transform(_frame(_session(None), _columns(inputs)))
    refuse_without_probability(answers.columns)
    table = answers.select("prediction", vector_to_array(answers["probability"]).alias("probability")).toArrow()
    return binary_predictions(table["prediction"].to_pylist(), table["probability"].to_pylist())


def parameters(model: PipelineModel) -> dict[str, str]:
    """`<stage>.<name>` and its value, defaults included, without values that hold a name that Spark made up."""
    found: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    for stage in model.stages:
        kind = type(stage).__name__
        kinds[kind] += 1
        prefix = f"{kind}-{kinds[kind]}" if kinds[kind] > 1 else kind
        values = {param.name: str(value) for param, value in stage.extractParamMap().items()}
        found |= {f"{prefix}.{name}": value for name, value in values.items() if stage.uid not in value}
    return found


def learning_curves(model: PipelineModel, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:
    """The loss after each step: of the training for a logistic regression, on these rows for boosted trees."""
    classifier = model.stages[-1]
    if isinstance(classifier, LogisticRegressionModel) and classifier.hasSummary:
        return {"objective": [float(value) for value in classifier.summary.objectiveHistory]}
    if isinstance(classifier, GBTClassificationModel):
        frame = _frame(_session(None), {**_columns(inputs), str(target.name): target})
        features = PipelineModel(model.stages[:-1]).transform(frame)
        return {"loss": [float(value) for value in classifier.evaluateEachIteration(features)]}
    return {}


def log_model(
    model: PipelineModel,
    signature: ModelSignature,
    example: pandas.DataFrame,  # noqa: ARG001  with one, MLflow loads the model again to try it, which takes Spark long
    requirements: list[str],
) -> str:
    """Logs to the active run. Returns the id of the logged model."""
    with tempfile.TemporaryDirectory() as temporary:
        # mlflow.spark.log_model of 3.17 writes an artifact of the run, without a model id.
        logged = Model.log(
            artifact_path=None,
            name=names.LOGGED_MODEL_NAME,
            flavor=mlflow.spark,
            spark_model=model,
            dfs_tmpdir=temporary,
            signature=signature,
            pip_requirements=requirements,
        )
    return str(logged.model_id)


def _columns(inputs: pandas.DataFrame) -> dict[str, pandas.Series]:
    return {str(name): inputs[name] for name in inputs}


def _frame(session: SparkSession, columns: Mapping[str, pandas.Series]) -> DataFrame:
    return session.createDataFrame(pyarrow.table({name: _array(values) for name, values in columns.items()}))


def _array(values: pandas.Series) -> pyarrow.Array:
    """As gates and service give it: null for a missing text, NaN for a missing number, seconds since 1970 for a moment.

    No stage of Spark's takes a date, and its numbers may be NaN.
    """
    if values.dtype == "object":
        return pyarrow.array(values, from_pandas=True)
    if values.dtype.kind == "M":
        return pyarrow.array(((values - _EPOCH) / _SECOND).to_numpy())
    # By way of an array, because from a Series Arrow would make null of NaN.
    return pyarrow.array(values.to_numpy())


def _session(master: str | None) -> SparkSession:
    """The active session, or a new one. Raises Refused when there is no Java or the master does not answer."""
    if running := SparkSession.getActiveSession():
        return running
    _refuse_without_java()
    where = master or "local[*]"
    with _quiet() as logging, _keeping_interrupt():
        builder = SparkSession.builder.appName("trackback").master(where)
        for key, value in {**_SETTINGS, **logging, **addresses(where)}.items():
            builder = builder.config(key, value)
        try:
            return builder.getOrCreate()
        except (PySparkException, Py4JError) as error:
            raise Refused(f"expected a Spark session at {where}, cannot start it: {jvm_reason(error)}") from error


def addresses(master: str) -> dict[str, str]:
    """Settings that bind a local session to 127.0.0.1; none for a cluster, whose workers must reach the driver."""
    if not master.startswith("local"):
        return {}
    os.environ["SPARK_LOCAL_IP"] = LOCALHOST
    return {**ON_THIS_MACHINE, "spark.sql.shuffle.partitions": "4"}


@contextmanager
def _quiet() -> Iterator[dict[str, str]]:
    """The Spark setting that makes the JVM log as `_LOGGING` says. The JVM reads the file once, when it starts."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "log4j2.properties"
        file.write_text(_LOGGING)
        yield {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={file.as_uri()}"}


@contextmanager
def _keeping_interrupt() -> Iterator[None]:
    """Leaves Ctrl-C to the job, which ends its run: Spark would take it, and print how far it had come."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _refuse_without_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(str(Path(home) / "bin" / "java") if home else "java"):
        where = f"in JAVA_HOME, {home}" if home else "on PATH"
        raise Refused(f"expected a Java of version 17 or newer {where}, found none: Spark needs one")
