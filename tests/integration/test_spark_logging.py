"""A Spark model in a real MLflow: it has an id of its own, and what comes back answers as what went in."""

import math
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy
import onnxruntime
import pandas
import pytest
import yaml
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Imputer, VectorAssembler

from services.contract import names
from services.contract.prediction import Labelled, difference
from services.contract.release import Column
from services.delivery.flavors import spark as delivery
from training.flavors import spark as training

pytestmark = pytest.mark.needs("spark")

INPUTS = (Column(name="hour", type="long"), Column(name="wind", type="double", required=False))
REQUIREMENTS = [f"mlflow=={mlflow.__version__}", "pyspark==4.3.0", "numpy"]
SIGNATURE = ModelSignature(Schema([ColSpec(column.type, column.name, required=column.required) for column in INPUTS]))
ROWS = pandas.DataFrame(
    {
        "hour": [hour for hour in range(24) for _ in range(5)],
        "wind": [math.nan, 3.0, 9.5, 20.25, 41.0] * 24,
        "late": [int(hour + place * 4 > 22) for hour in range(24) for place in range(5)],
    }
)


@pytest.fixture(scope="module")
def model(quick_java: None) -> PipelineModel:  # noqa: ARG001
    def plan() -> Pipeline:
        imputer = Imputer(inputCols=["wind"], outputCols=["filled"])
        assembler = VectorAssembler(inputCols=["hour", "filled"], outputCol="features")
        return Pipeline(stages=[imputer, assembler, LogisticRegression(labelCol="late", maxIter=5)])

    return training.fit(plan, ROWS[["hour", "wind"]], ROWS["late"], "local[1]")


@pytest.fixture(scope="module")
def logged(
    model: PipelineModel, mlflow_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The id of the logged model, and its files as they come back."""
    mlflow.set_tracking_uri(mlflow_url)
    mlflow.set_experiment("flight-delay")
    example = ROWS[["hour", "wind"]].iloc[1:4]
    with mlflow.start_run() as run:
        model_id = training.log_model(model, SIGNATURE, example, REQUIREMENTS)
    outputs = mlflow.get_run(run.info.run_id).outputs
    assert outputs and [output.model_id for output in outputs.model_outputs] == [model_id]
    folder = tmp_path_factory.mktemp("logged")
    yield model_id, Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=str(folder)))


def test_a_spark_model_has_an_id_as_other_models_have(logged: tuple[str, Path]) -> None:
    model_id, _ = logged
    assert names.MODEL_ID.fullmatch(model_id)


def test_what_comes_back_answers_in_spark_and_online_as_what_went_in(
    model: PipelineModel, logged: tuple[str, Path]
) -> None:
    _, folder = logged
    inputs = ROWS[["hour", "wind"]]
    trained = training.predict(model, inputs)
    rows = [list(row) for row in inputs.itertuples(index=False, name=None)]
    loaded = delivery.load(folder)
    session = onnxruntime.InferenceSession(delivery.to_onnx(loaded, folder, INPUTS))
    given = {f"input_{place}": numpy.array(cells, dtype=float) for place, cells in enumerate(zip(*rows, strict=True))}
    online = [
        Labelled(label=int(label), probability=float(probability))
        for label, probability in zip(*session.run(["label", "probability"], given), strict=True)
    ]
    assert delivery.predict(loaded, rows, INPUTS) == list(trained)
    assert max(map(difference, trained, online)) <= 1e-12
    assert {answer.label for answer in online} == {0, 1}


def test_its_requirements_are_those_that_were_given(logged: tuple[str, Path]) -> None:
    _, folder = logged
    assert (folder / "requirements.txt").read_text().split() == REQUIREMENTS
    assert yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["spark"]["model_data"] == delivery.MODEL_FOLDER
