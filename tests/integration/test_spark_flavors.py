"""Spark itself, in a JVM: what training gives and what is written as ONNX must answer alike."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import pandas
import pyarrow
import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import (
    DecisionTreeClassifier,
    GBTClassifier,
    LogisticRegression,
    MultilayerPerceptronClassifier,
    NaiveBayes,
    RandomForestClassifier,
)
from pyspark.ml.feature import (
    Imputer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
    StringIndexer,
    VectorAssembler,
)
from pyspark.ml.regression import (
    GBTRegressor,
    GeneralizedLinearRegression,
    LinearRegression,
    RandomForestRegressor,
)
from pyspark.sql import SparkSession

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.prediction import Labelled, Prediction, difference, number_of
from services.contract.release import Column
from services.delivery.flavors import find_flavor
from services.delivery.flavors import spark as delivery
from services.delivery.scoring.holdout import read_holdout
from services.prediction.invocations import read_invocation
from services.prediction.runtimes import onnx as service
from tests.support.paths import MODELS
from training.dataset import read_csv, split
from training.flavors import spark as training

pytestmark = pytest.mark.needs("spark")

INPUTS = (
    Column(name="cut", type="string"),
    Column(name="place", type="string"),
    Column(name="hour", type="long"),
    Column(name="carat", type="double", required=False),
    Column(name="depth", type="double"),
)
# Unseen, empty, missing, extreme; Spark itself refuses none of them.
EDGES: list[list[Any]] = [
    ["new", "", 5, math.nan, 0.5],
    ["c1", "p2", -3, 0.5, 1.0],
    ["c2", "Ω", 10**9, 1.5, -1.0],
    ["", "p0", 24, 0.0, -0.0],
    ["c0", "p9", 23, -0.0, 1e-9],
    ["c1", "p2", 0, 1e9, 1.0],
    ["c2", "p3", 1, 0.5, 1e9],
    ["c0", "p4", 2, -1e9, -1e9],
]
KINDS = ("logistic", "sparse", "numberless", "boosted", "forest", "stumps")
Fitted = Callable[[str], tuple[PipelineModel, Path]]


def frame(rows: int) -> pandas.DataFrame:
    """Made-up rows whose label hangs on sets of places, on a number and on whether it is missing."""
    random = numpy.random.default_rng(3)
    place, carat = random.integers(0, 40, rows), random.uniform(0, 2, rows)
    late = (place % 3 == 0).astype(int) + (carat > 1.2) + random.uniform(0, 1, rows) > 1.3
    return pandas.DataFrame(
        {
            "cut": [f"c{n}" for n in random.integers(0, 3, rows)],
            "place": [f"p{n}" for n in place],
            "hour": random.integers(0, 24, rows),
            "carat": numpy.where(random.uniform(0, 1, rows) < 0.2, math.nan, carat),
            "depth": random.uniform(-5, 5, rows),
            "late": late.astype("int64"),
        }
    )


def plan(kind: str) -> Pipeline:
    names = ["cut", "place"]
    indexer = StringIndexer(inputCols=names, outputCols=["cut_index", "place_index"], handleInvalid="keep")
    imputer = Imputer(inputCols=["carat"], outputCols=["carat_filled"])
    numbers = ["carat_filled", "depth"]
    stages: dict[str, list[Any]] = {
        "logistic": [_encoder(True), _assembler(["flag", "place_flag", "hour_flag", *numbers]), _logistic()],
        "sparse": [
            _encoder(False),
            _assembler(["flag", "place_flag", "hour_flag", *numbers]),
            _logistic(0.05),
        ],
        "numberless": [_encoder(True), _assembler(["flag", "carat"], "keep"), _logistic()],
        "boosted": [_assembler(["cut_index", "place_index", "hour", *numbers]), _trees(GBTClassifier, maxIter=4)],
        "forest": [
            _assembler(["cut_index", "place_index", "hour", *numbers]),
            _trees(RandomForestClassifier, numTrees=3),
        ],
        "stumps": [_assembler(["depth"]), _trees(GBTClassifier, maxIter=2, minInfoGain=1e9)],
        "unit": [_assembler(["depth"], output="raw"), Normalizer(inputCol="raw", outputCol="features"), _logistic()],
    }
    return Pipeline(stages=[indexer, imputer, *stages[kind]])


def _encoder(drop_last: bool) -> OneHotEncoder:
    columns, flags = ["cut_index", "place_index", "hour"], ["flag", "place_flag", "hour_flag"]
    return OneHotEncoder(inputCols=columns, outputCols=flags, handleInvalid="keep", dropLast=drop_last)


def _assembler(columns: list[str], invalid: str = "error", output: str = "features") -> VectorAssembler:
    return VectorAssembler(inputCols=columns, outputCol=output, handleInvalid=invalid)


def _logistic(penalty: float = 0.0) -> LogisticRegression:
    return LogisticRegression(labelCol="late", maxIter=4, elasticNetParam=1.0, regParam=penalty)


def _trees(kind: Callable[..., Any], **parameters: float) -> Any:
    return kind(labelCol="late", maxBins=64, maxDepth=3, seed=0, **parameters)


@pytest.fixture(scope="session")
def fitted(quick_java: None, tmp_path_factory: pytest.TempPathFactory) -> Fitted:  # noqa: ARG001
    """Each kind is fitted once; gives Spark's model and a folder as MLflow keeps it."""
    known: dict[str, tuple[PipelineModel, Path]] = {}

    def fit(kind: str) -> tuple[PipelineModel, Path]:
        if kind not in known:
            # A regression cannot be fitted on a missing number, but may well be asked about one.
            rows = frame(400).fillna({"carat": 1.0}) if kind == "numberless" else frame(400)
            model = training.fit(lambda: plan(kind), rows.drop(columns="late"), rows["late"], "local[1]")
            folder = tmp_path_factory.mktemp(kind)
            model.save((folder / "sparkml").as_uri())
            known[kind] = model, folder
        return known[kind]

    return fit


def rows_of(table: pandas.DataFrame) -> list[list[Any]]:
    return [list(row) for row in table[[column.name for column in INPUTS]].itertuples(index=False, name=None)]


def online(folder: Path, rows: list[list[Any]]) -> list[Prediction]:
    session = onnxruntime.InferenceSession(delivery.to_onnx(delivery.load(folder), folder, INPUTS))
    columns = zip(INPUTS, zip(*rows, strict=True), strict=True)
    given = {
        f"input_{place}": numpy.array(cells, dtype=object if column.type == "string" else float)
        for place, (column, cells) in enumerate(columns)
    }
    if session.get_outputs()[0].name == "prediction":
        return [float(one) for one in session.run(["prediction"], given)[0]]
    labels, probabilities = session.run(["label", "probability"], given)
    return [
        Labelled(label=label if isinstance(label, str) else int(label), probability=float(p))
        for label, p in zip(labels, probabilities, strict=True)
    ]


def assembled(*columns: str) -> VectorAssembler:
    return _assembler(list(columns))


def scaled(scaler: Callable[..., Any], **options: bool) -> list[Any]:
    return [_assembler(["hour", "carat"], output="raw"), scaler(inputCol="raw", outputCol="features", **options)]


# The target and the stages.
OTHERS: dict[str, tuple[str, Callable[[], list[Any]]]] = {
    "names": (
        "cut",
        lambda: [
            StringIndexer(inputCol="cut", outputCol="label"),
            assembled("hour", "depth", "carat"),
            LogisticRegression(maxIter=4),
        ],
    ),
    "forest": (
        "cut",
        lambda: [assembled("hour", "depth"), RandomForestClassifier(labelCol="cut", numTrees=3, maxDepth=3)],
    ),
    "tree": ("cut", lambda: [assembled("hour", "depth"), DecisionTreeClassifier(maxDepth=3)]),
    "bayes": ("cut", lambda: [*scaled(MinMaxScaler), NaiveBayes()]),
    "gaussian": ("late", lambda: [assembled("hour", "depth"), NaiveBayes(modelType="gaussian")]),
    "perceptron": (
        "cut",
        lambda: [
            *scaled(StandardScaler, withMean=True),
            MultilayerPerceptronClassifier(layers=[2, 3, 3], maxIter=3),
        ],
    ),
    "line": ("weight", lambda: [*scaled(RobustScaler, withCentering=True), LinearRegression(maxIter=3)]),
    "gamma": ("weight", lambda: [*scaled(MaxAbsScaler), GeneralizedLinearRegression(family="gamma", link="log")]),
    "mean tree": ("weight", lambda: [assembled("hour", "carat"), RandomForestRegressor(numTrees=2, maxDepth=3)]),
    "boosting": ("weight", lambda: [assembled("hour", "carat"), GBTRegressor(maxIter=2, maxDepth=3)]),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_labels_with_names_and_numbers_are_answered_online_as_spark_does(
    kind: str,
    tmp_path: Path,
    quick_java: None,  # noqa: ARG001
) -> None:
    target, stages = OTHERS[kind]
    table = frame(300).fillna({"carat": 1.0})
    table["weight"] = 1 + table["carat"] ** 2 + table["hour"] / 10
    inputs = table[[column.name for column in INPUTS]]
    model = training.fit(lambda: Pipeline(stages=stages()), inputs, table[target], "local[1]")
    model.save((tmp_path / "sparkml").as_uri())
    spark, found = list(training.predict(model, inputs)), online(tmp_path, rows_of(table))
    numbers = [number_of(one) for one in spark]
    scale = 0.0 if isinstance(spark[0], Labelled) else float(numpy.median(numbers))
    assert max(difference(one, other, scale) for one, other in zip(spark, found, strict=True)) <= 1e-12
    if isinstance(spark[0], Labelled):
        assert {one.label for one in spark if isinstance(one, Labelled)} <= set(table[target])
        assert len(set(numbers)) > 2
    else:
        assert numpy.corrcoef(numbers, table["weight"])[0, 1] > 0.5


def test_a_plan_is_looked_at_before_its_fit(quick_java: None) -> None:  # noqa: ARG001
    config = load_model_config(MODELS, "flight-delay")
    with pytest.raises(Refused, match="StringIndexer: expected handleInvalid='keep', found 'error', .* 'carrier' has"):
        training.check(
            lambda: Pipeline(
                stages=[
                    StringIndexer(inputCol="carrier", outputCol="place"),
                    _assembler(["place"]),
                    LogisticRegression(),
                ]
            ),
            config,
        )
    with pytest.raises(Refused, match="to return a function that returns an unfitted Pipeline, found <class"):
        training.check(LogisticRegression, config)
    with pytest.raises(Refused, match="found LogisticRegression: write Pipeline"):
        training.check(lambda: LogisticRegression(), config)  # noqa: PLW0108  a class by itself is another mistake


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_answers_as_spark_does(fitted: Fitted, kind: str) -> None:
    _, folder = fitted(kind)
    filled = frame(300).fillna({"carat": 1.0})
    rows = rows_of(filled if kind == "numberless" else frame(300)) + EDGES[1 if kind == "numberless" else 0 :]
    spark = delivery.predict(delivery.load(folder), rows, INPUTS)
    assert max(map(difference, spark, online(folder, rows))) <= 1e-12
    assert kind == "stumps" or {answer.label for answer in spark if isinstance(answer, Labelled)} == {0, 1}


def test_a_missing_number_that_no_stage_fills_is_no_number_in_spark_and_online_alike(fitted: Fitted) -> None:
    _, folder = fitted("numberless")
    row = ["c1", "p1", 4, math.nan, 1.0]
    (spark,), (graph,) = delivery.predict(delivery.load(folder), [row], INPUTS), online(folder, [row])
    assert isinstance(spark, Labelled) and isinstance(graph, Labelled)
    assert math.isnan(spark.probability) and math.isnan(graph.probability)


ANY = {"name": "string", "hour": "long", "dry": "boolean", "day": "date", "at": "datetime"}


def of_any_type(folder: Path) -> tuple[ModelConfig, Path]:
    """A file in which each cell of a row in seven is missing, in turn, and whose label hangs on all of them."""
    gates = {"thresholds": {"log_loss": {"max": 1}}, "latency_p99_ms": 1, "compare": {"metric": "log_loss"}}
    data = {"source": "", "target": "late", "columns": ANY, "optional": list(ANY), "holdout_sha256": None}
    file = folder / "rows.csv"
    cells = [
        (f"n{n % 3}", n % 24, n % 2 == 0, f"2013-12-{1 + n % 28:02}", f"2013-12-27 {n % 24:02}:30") for n in range(400)
    ]
    lines = [
        ",".join(
            [*("" if n % 7 == place else str(cell) for place, cell in enumerate(row)), str(int(n % 5 * (n % 3) > 3))]
        )
        for n, row in enumerate(cells)
    ]
    file.write_text("\n".join([",".join([*ANY, "late"]), *lines]))
    return ModelConfig.model_validate(
        {"name": "toy", "description": "", "library": "spark", "task": "binary-classification", "data": data,
         "variants": {"only": {}}, "gates": gates}
    ), file  # fmt: skip


def for_any_type() -> Pipeline:
    indexer = StringIndexer(inputCols=["name"], outputCols=["name_index"], handleInvalid="keep")
    numbers = [name for name, kind in ANY.items() if kind != "string"]
    imputer = Imputer(inputCols=numbers, outputCols=[f"{name}_filled" for name in numbers])
    columns = ["name_index", *(f"{name}_filled" for name in numbers)]
    return Pipeline(stages=[indexer, imputer, _assembler(columns), _trees(GBTClassifier, maxIter=2)])


def test_a_column_of_any_type_goes_with_its_gaps_from_a_file_to_an_answer(quick_java: None, tmp_path: Path) -> None:  # noqa: ARG001
    toy, file = of_any_type(tmp_path)
    dataset = split(read_csv(file, toy.data, toy.task), toy.data, toy.task, "")
    file.write_bytes(dataset.holdout.csv)
    holdout = read_holdout(file, toy)
    model = training.fit(for_any_type, dataset.training.inputs, dataset.training.target, "local[1]")
    model.save((tmp_path / "sparkml").as_uri())
    expected = list(training.predict(model, dataset.holdout.inputs))
    assert delivery.predict(delivery.load(tmp_path), holdout.rows, toy.inputs) == expected
    (tmp_path / "model.onnx").write_bytes(delivery.to_onnx(delivery.load(tmp_path), tmp_path, toy.inputs))
    graph = service.load(tmp_path / "model.onnx", toy.inputs)
    assert max(map(difference, graph.predict(holdout.rows), expected)) <= 1e-12
    row = {"day": "2013-12-03", "at": "2013-12-27T02:30:00+01:00", "hour": None}
    asked = [*read_invocation(json.dumps({"instances": [row, {}]}).encode(), toy.inputs, 2).rows, *holdout.edges]
    answers = delivery.predict(delivery.load(tmp_path), asked, toy.inputs)
    assert max(map(difference, graph.predict(asked), answers)) <= 1e-12


def test_training_and_delivery_ask_the_same_model_alike(fitted: Fitted) -> None:
    model, folder = fitted("boosted")
    table = frame(50)
    assert list(training.predict(model, table.drop(columns="late"))) == delivery.predict(
        delivery.load(folder), rows_of(table), INPUTS
    )


def test_a_missing_number_is_filled_with_the_mean_of_those_that_are_there(fitted: Fitted) -> None:
    model, _ = fitted("logistic")
    imputer: Any = model.stages[1]
    surrogate = imputer.surrogateDF.first()["carat"]
    assert surrogate == pytest.approx(frame(400)["carat"].mean(), rel=1e-12)


def test_a_row_that_spark_cannot_take_is_an_error_that_says_why(fitted: Fitted) -> None:
    _, folder = fitted("boosted")
    with pytest.raises(ValueError, match="Encountered NaN while assembling a row"):
        delivery.predict(delivery.load(folder), [["c1", "p1", 4, 1.0, math.nan]], INPUTS)


@pytest.mark.parametrize("row", [["c1", "p1", 4, 1.0, "deep"], [7, "p1", 4, 1.0, 2.0]])
def test_a_cell_of_another_type_is_an_error(fitted: Fitted, row: list[Any]) -> None:
    _, folder = fitted("boosted")
    with pytest.raises(ValueError, match="deep|got a 'int' object"):
        delivery.predict(delivery.load(folder), [row], INPUTS)


def test_no_rows_have_no_answers(fitted: Fitted) -> None:
    _, folder = fitted("boosted")
    assert delivery.predict(delivery.load(folder), [], INPUTS) == []


def test_a_trusted_stage_that_has_no_graph_still_answers_in_batch(fitted: Fitted) -> None:
    _, folder = fitted("unit")
    (answer,) = delivery.predict(delivery.load(folder), [["c1", "p1", 4, 1.0, 0.5]], INPUTS)
    assert isinstance(answer, Labelled) and 0 < answer.probability < 1
    with pytest.raises(Refused, match="as ONNX, found feature.Normalizer: such a model is for batch only"):
        online(folder, EDGES)


def test_a_damaged_file_is_refused_in_one_line(fitted: Fitted, tmp_path: Path) -> None:
    model, _ = fitted("boosted")
    model.save((tmp_path / "sparkml").as_uri())
    for file in tmp_path.glob("sparkml/stages/*_GBTClassifier_*/data/part-*"):
        file.write_bytes(file.read_bytes()[:-40])
        file.with_name(f".{file.name}.crc").unlink()
    with pytest.raises(Refused, match=r"sparkml: expected a Spark pipeline, cannot load it: .*") as refused:
        delivery.predict(delivery.load(tmp_path), EDGES, INPUTS)
    assert "\n" not in str(refused.value)


def test_the_parameters_of_each_stage_are_named_by_its_class_without_made_up_names(fitted: Fitted) -> None:
    model, _ = fitted("boosted")
    found = training.parameters(model)
    assert found["GBTClassificationModel.maxIter"] == "4"
    assert found["GBTClassificationModel.stepSize"] == "0.1"
    assert found["StringIndexerModel.handleInvalid"] == "keep"
    assert not [value for value in found.values() if any(stage.uid in value for stage in model.stages)]


def test_a_second_stage_of_a_class_keeps_parameters_of_its_own(fitted: Fitted) -> None:
    model, _ = fitted("boosted")
    found = training.parameters(PipelineModel([*model.stages[:1], *model.stages]))
    assert found["StringIndexerModel.inputCols"] == found["StringIndexerModel-2.inputCols"] == "['cut', 'place']"


def test_the_learning_curve_has_a_value_for_each_step_and_falls(fitted: Fitted) -> None:
    table = frame(400)
    inputs, target = table.drop(columns="late"), table["late"]
    boosted = training.learning_curves(fitted("boosted")[0], inputs, target)["loss"]
    logistic = training.learning_curves(fitted("logistic")[0], inputs, target)["objective"]
    assert len(boosted) == 4 and boosted[-1] < boosted[0]
    assert len(logistic) > 2 and logistic[-1] < logistic[0]
    assert training.learning_curves(fitted("forest")[0], inputs, target) == {}


@pytest.mark.parametrize("home", ["", "nowhere"])
def test_a_machine_without_java_is_told_so_in_one_line(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / home) if home else "")
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    rows = frame(5)
    with pytest.raises(Refused, match="expected a Java of version 17 or newer .*, found none"):
        training.fit(lambda: plan("boosted"), rows.drop(columns="late"), rows["late"], None)


def test_a_pipeline_that_cannot_be_fitted_is_refused_with_sparks_own_reason(quick_java: None) -> None:  # noqa: ARG001
    rows, bins = frame(200), lambda: Pipeline(stages=[*plan("boosted").getStages()[:-1], GBTClassifier(maxBins=8)])
    with pytest.raises(Refused, match="cannot fit it: .*maxBins") as refused:
        training.fit(bins, rows.drop(columns="late"), rows["late"], "local[1]")
    assert "\n" not in str(refused.value)


def test_only_a_session_on_this_machine_is_kept_to_it() -> None:
    assert training.addresses("local[*]")["spark.driver.bindAddress"] == "127.0.0.1"
    assert training.addresses("spark://master:7077") == {}


def test_rows_are_parted_by_their_number_and_not_by_the_cores_of_a_machine(fitted: Fitted) -> None:
    fitted("boosted")
    session = SparkSession.getActiveSession()
    assert session and session.sparkContext.defaultParallelism == 1
    assert session.createDataFrame(pyarrow.table({"x": range(100_000)})).rdd.getNumPartitions() == 2


def test_both_components_find_the_flavor_by_its_name() -> None:
    assert find_flavor("spark").to_onnx is delivery.to_onnx
