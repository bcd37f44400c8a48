"""Spark MLlib: fitted on this machine or on a cluster, logged so that the model has an id of its own."""

import logging
import tempfile
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
from pyspark.ml.feature import IndexToString
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import GBTRegressionModel, LinearRegressionModel
from pyspark.sql import DataFrame, SparkSession

from services.contract import names
from services.contract.errors import Refused, jvm_reason
from services.contract.java import refuse_without_java, without_session
from services.contract.model_config import Data, ModelConfig
from services.contract.prediction import Prediction
from services.contract.signals import keeping_interrupt
from services.contract.spark import (
    LABEL_NUMBER,
    ON_THIS_MACHINE,
    PREDICTION,
    PROBABILITY,
    SESSION_SETTINGS,
    predictions,
)
from services.contract.task import Task
from training.dataset import read_csv
from training.spark_plan import EXPECTED, Rows, Step, batch_only, read_plan

_LOG = logging.getLogger(__name__)
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


def check(plan: Any, config: ModelConfig) -> None:
    """Raises Refused for a plan that cannot be fitted, answered by or saved; says of one that it is for batch only."""
    if isinstance(plan, type) or not callable(plan):
        raise Refused(f"{EXPECTED}, found {plan!r}")
    # There is no stage before there is a session.
    _session(None)
    steps = read_plan(_made(plan), Rows(list(config.data.columns), config.data.target, config.task))
    if without := batch_only(steps):
        _LOG.warning("note: no ONNX is written for %s here, so the model will be for batch only", ", ".join(without))


def fit(
    plan: Callable[[], Pipeline], inputs: pandas.DataFrame, target: pandas.Series, master: str | None
) -> PipelineModel:
    """`plan` is called when there is a session, because Spark cannot make a stage without one.

    Labels that are strings are numbered in their order, and the model ends with the stage that names them. Raises
    Refused, with Spark's own reason, when the pipeline cannot be made or fitted on these rows.
    """
    session, labels = _session(master), _labels(target)
    steps = read_plan(_made(plan), _rows(inputs, target, labels))
    stages = [_set(step) for step in steps]
    frame = _frame(session, {**_columns(inputs), str(target.name): _numbers(target, labels)}).cache()
    try:
        fitted = Pipeline(stages=stages).fit(frame)
    except (PySparkException, Py4JError, TypeError) as error:
        raise Refused(
            f"expected a pipeline that can be fitted on these rows, cannot fit it: {jvm_reason(error)}"
        ) from error
    finally:
        frame.unpersist()
    naming = [IndexToString(inputCol=LABEL_NUMBER, outputCol=PREDICTION, labels=labels)] if labels else []
    return PipelineModel([*fitted.stages, *naming])


def _made(plan: Callable[[], Any]) -> Any:
    try:
        return plan()
    # The user's own code.
    except Exception as error:
        raise Refused(f"{EXPECTED}, found {type(error).__name__}: {jvm_reason(error)}") from error


def _set(step: Step) -> Any:
    return step.stage.copy({step.stage.getParam(name): value for name, value in step.changes.items()})


def _labels(target: pandas.Series) -> list[str] | None:
    """Of a target of strings, sorted."""
    return None if pandas.api.types.is_numeric_dtype(target) else sorted(target.unique())


def _numbers(target: pandas.Series, labels: Sequence[str] | None) -> pandas.Series:
    if labels is None:
        return target
    return target.map({label: float(number) for number, label in enumerate(labels)}).astype("float64")


def _rows(inputs: pandas.DataFrame, target: pandas.Series, labels: Sequence[str] | None) -> Rows:
    number: Task = "regression" if pandas.api.types.is_float_dtype(target) else "binary-classification"
    missing = frozenset(str(name) for name in inputs if inputs[name].isna().any())
    return Rows(
        inputs=[str(name) for name in inputs],
        target=str(target.name),
        task="classification" if labels else number,
        missing=missing,
        labels=len(labels) if labels else None,
    )


def predict(model: PipelineModel, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    """Raises Refused for a model of more labels than have names."""
    answers = model.transform(_frame(_session(None), _columns(inputs)))
    columns = [answers[PREDICTION]]
    if PROBABILITY in answers.columns:
        columns.append(vector_to_array(answers[PROBABILITY]).alias(PROBABILITY))
    return predictions(answers.select(*columns).toArrow().to_pydict(), _names(model))


def _names(model: PipelineModel) -> list[str] | None:
    last = model.stages[-1]
    return list(last.getLabels()) if isinstance(last, IndexToString) else None


def _predictor(model: PipelineModel) -> Any:
    return model.stages[-1 if _names(model) is None else -2]


def parameters(model: PipelineModel) -> dict[str, str]:
    """`<stage>.<name>` and its value, defaults included, without values that hold a name that Spark made up."""
    found: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    for stage in model.stages[: model.stages.index(_predictor(model)) + 1]:
        kind = type(stage).__name__
        kinds[kind] += 1
        prefix = f"{kind}-{kinds[kind]}" if kinds[kind] > 1 else kind
        values = {param.name: str(value) for param, value in stage.extractParamMap().items()}
        found |= {f"{prefix}.{name}": value for name, value in values.items() if stage.uid not in value}
    return found


def learning_curves(model: PipelineModel, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:
    """The loss after each step: of the training for a regression, on these rows for boosted trees."""
    predictor, labels = _predictor(model), _names(model)
    if isinstance(predictor, LogisticRegressionModel | LinearRegressionModel) and predictor.hasSummary:
        summary: Any = predictor.summary
        history = [float(value) for value in summary.objectiveHistory]
        # What is solved at once has no steps.
        return {"objective": history} if len(history) > 1 else {}
    if isinstance(predictor, GBTClassificationModel | GBTRegressionModel):
        frame = _frame(_session(None), {**_columns(inputs), str(target.name): _numbers(target, labels)})
        features = PipelineModel(model.stages[: model.stages.index(predictor)]).transform(frame)
        measure = () if isinstance(predictor, GBTClassificationModel) else (predictor.getLossType(),)
        return {"loss": [float(value) for value in predictor.evaluateEachIteration(features, *measure)]}
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
    """The active session, or a new one where that is not on the `master` that is asked for.

    Raises Refused when there is no Java or the master does not answer.
    """
    if running := SparkSession.getActiveSession():
        if master in (None, running.sparkContext.master):
            return running
        running.stop()
    refuse_without_java()
    where = master or "local[*]"
    with _quiet() as logging, keeping_interrupt():
        builder = SparkSession.builder.appName("trackback").master(where)
        for key, value in {**_SETTINGS, **logging, **addresses(where)}.items():
            builder = builder.config(key, value)
        try:
            return builder.getOrCreate()
        except (PySparkException, Py4JError) as error:
            raise without_session(where, error) from error


def addresses(master: str) -> dict[str, str]:
    """Settings that bind a local session to 127.0.0.1; none for a cluster, whose workers must reach the driver."""
    if not master.startswith("local"):
        return {}
    return {**ON_THIS_MACHINE, "spark.sql.shuffle.partitions": "4"}


@contextmanager
def _quiet() -> Iterator[dict[str, str]]:
    """The Spark setting that makes the JVM log as `_LOGGING` says. The JVM reads the file once, when it starts."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "log4j2.properties"
        file.write_text(_LOGGING)
        yield {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={file.as_uri()}"}
