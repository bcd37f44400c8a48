"""Saved Spark pipelines without a JVM: what is refused before Spark sees it, and a graph against sums done by hand."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import pyarrow
import pyarrow.parquet
import pytest

from services.contract.errors import Refused
from services.contract.release import Column
from services.contract.spark import ONLINE
from services.delivery.flavors import spark
from services.delivery.onnx.spark_features import FEATURES
from services.delivery.onnx.spark_predictors import CLASSIFIERS, REGRESSORS

INPUTS = (Column(name="cut", type="string"), Column(name="carat", type="double", required=False))
SPARK = "org.apache.spark.ml"
Parameters = dict[str, Any]
Change = Callable[[Path], object]


def write_metadata(folder: Path, kind: str, parameters: Parameters) -> None:
    (folder / "metadata").mkdir(parents=True)
    content = {"class": kind, "uid": folder.name, "paramMap": parameters, "defaultParamMap": {}}
    (folder / "metadata" / "part-00000-c000.txt").write_text(json.dumps(content) + "\n")
    (folder / "metadata" / "_SUCCESS").touch()


def write_rows(folder: Path, *rows: Parameters) -> None:
    folder.mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), folder / "part-00000-c000.snappy.parquet")


def write_stage(root: Path, place: int, kind: str, parameters: Parameters, *rows: Parameters) -> None:
    folder = root / "stages" / f"{place}_stage_{place}"
    write_metadata(folder, f"{SPARK}.{kind}", parameters)
    if rows:
        write_rows(folder / "data", *rows)


def regression(**changes: Any) -> Parameters:
    """Two categories and one number; the unknown category is the one that one-hot drops."""
    matrix = {
        "type": 1,
        "numRows": 1,
        "numCols": 3,
        "isTransposed": False,
        "values": [0.5, -0.25, 2.0],
        "colPtrs": None,
    }
    saved = {
        "numClasses": 2,
        "isMultinomial": False,
        "coefficientMatrix": matrix,
        "interceptVector": {"type": 1, "values": [-1.0]},
    }
    return {**saved, **changes}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What mlflow.spark would have saved of an indexer, an encoder, an imputer, an assembler and a regression."""
    root = tmp_path / "model" / "sparkml"
    write_metadata(root, f"{SPARK}.PipelineModel", {"stageUids": [f"stage_{place}" for place in range(5)]})
    index = {"inputCol": "cut", "outputCol": "index", "handleInvalid": "keep"}
    write_stage(root, 0, "feature.StringIndexerModel", index, {"labelsArray": [["Fair", "Ideal"]]})
    flag = {"inputCol": "index", "outputCol": "flag", "handleInvalid": "keep", "dropLast": True}
    write_stage(root, 1, "feature.OneHotEncoderModel", flag, {"categorySizes": [2]})
    fill = {"inputCols": ["carat"], "outputCols": ["filled"], "missingValue": "NaN"}
    write_stage(root, 2, "feature.ImputerModel", fill, {"carat": 0.75})
    assemble = {"inputCols": ["flag", "filled"], "outputCol": "features", "handleInvalid": "error"}
    write_stage(root, 3, "feature.VectorAssembler", assemble)
    classify = {"featuresCol": "features", "threshold": 0.5}
    write_stage(root, 4, "classification.LogisticRegressionModel", classify, regression())
    return root.parent


def change_metadata(place: int | None, **changes: Any) -> Change:
    """Of the stage at the place, or of the pipeline itself."""

    def change(model: Path) -> None:
        root = model / "sparkml"
        folder = root if place is None else root / "stages" / f"{place}_stage_{place}"
        file = folder / "metadata" / "part-00000-c000.txt"
        content = json.loads(file.read_text())
        content["class"] = changes.get("kind", content["class"])
        content["paramMap"] |= {name: value for name, value in changes.items() if name != "kind"}
        file.write_text(json.dumps(content))

    return change


def change_rows(place: int, row: Parameters) -> Change:
    def change(model: Path) -> None:
        folder = model / "sparkml" / "stages" / f"{place}_stage_{place}" / "data"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), folder / "part-00000-c000.snappy.parquet")

    return change


def rename(name: str, other: str) -> Change:
    def change(model: Path) -> None:
        (model / "sparkml" / name).rename(model / "sparkml" / other)

    return change


def change_file(name: str, text: str) -> Change:
    def change(model: Path) -> None:
        (model / "sparkml" / name).parent.mkdir(parents=True, exist_ok=True)
        (model / "sparkml" / name).write_text(text)

    return change


def answers(graph: bytes, cuts: list[str], carats: list[float]) -> tuple[list[int], list[float]]:
    given = {"input_0": numpy.array(cuts, dtype=object), "input_1": numpy.array(carats)}
    labels, probabilities = onnxruntime.InferenceSession(graph).run(["label", "probability"], given)
    return list(labels), list(probabilities)


def converted(model: Path) -> bytes:
    return spark.to_onnx(spark.load(model), model, INPUTS)


def test_a_regression_answers_what_one_reckons_by_hand(model: Path) -> None:
    cuts, carats = ["Fair", "Ideal", "new", "", "Fair"], [1.0, math.nan, 0.5, -1.0, -12.0]
    labels, probabilities = answers(converted(model), cuts, carats)
    margins = [0.5 + 2 - 1, -0.25 + 1.5 - 1, 1.0 - 1, -2.0 - 1, 0.5 - 24 - 1]
    # Spark has the probability of 1 as what that of 0 leaves, so a small one is known to few digits.
    assert probabilities == pytest.approx([1 - 1 / (1 + math.exp(margin)) for margin in margins], rel=1e-15, abs=0)
    assert labels == [1, 1, 0, 0, 0]


def test_a_graph_has_the_probabilities_of_both_labels(model: Path) -> None:
    given = {"input_0": numpy.array(["Fair", "Ideal"], dtype=object), "input_1": numpy.array([1.0, -12.0])}
    session = onnxruntime.InferenceSession(converted(model))
    one, both = session.run(["probability", "probabilities"], given)
    assert both.tolist() == [[pytest.approx(1 - each, abs=1e-15), each] for each in one]


@pytest.mark.parametrize(("threshold", "labels"), [(0.9, [0, 0]), (0.1, [1, 0]), (0, [1, 1]), (1, [0, 0])])
def test_a_threshold_of_its_own_decides_the_label(model: Path, threshold: float, labels: list[int]) -> None:
    change_metadata(4, threshold=threshold)(model)
    assert answers(converted(model), ["Fair", "Fair"], [1.0, -1.0])[0] == labels


@pytest.mark.parametrize(
    "matrix",
    [
        {"isTransposed": True, "rowIndices": [0, 2], "colPtrs": [0, 2]},
        {"isTransposed": False, "rowIndices": [0, 0], "colPtrs": [0, 1, 1, 2]},
    ],
)
def test_weights_that_are_saved_sparsely_are_put_in_their_places(model: Path, matrix: Parameters) -> None:
    sparse = {"type": 0, "numRows": 1, "numCols": 3, "values": [0.5, 2.0], **matrix}
    change_rows(4, regression(coefficientMatrix=sparse))(model)
    _, probabilities = answers(converted(model), ["Fair", "Ideal"], [1.0, 1.0])
    assert probabilities == pytest.approx([1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(-1.0))], rel=1e-15)


def test_a_regression_without_an_intercept_has_none(model: Path) -> None:
    change_rows(4, regression(interceptVector={"type": 1, "values": []}))(model)
    assert answers(converted(model), ["new"], [0.0])[1] == [0.5]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_metadata(0, kind="os.system"), "expected only trusted stages in sparkml, found os.system"),
        (change_metadata(0, kind="feature.VectorAssembler"), "found feature.VectorAssembler: it is not loaded"),
        (change_metadata(2, kind=f"{SPARK}.feature.SQLTransformer"), f"found {SPARK}.feature.SQLTransformer"),
        (change_metadata(4, kind=f"{SPARK}.PipelineModel"), f"found {SPARK}.PipelineModel: it is not loaded"),
        (
            change_metadata(None, kind="pyspark.ml.pipeline.PipelineModel"),
            "a pipeline of Spark's own stages, found one",
        ),
        (change_metadata(None, language="Python"), "with language, stageUids: it is not loaded"),
        (change_metadata(None, stageUids=["../../elsewhere"]), "expected names of stages"),
        (change_metadata(None, stageUids=[]), "expected names of stages"),
        (change_metadata(None, stageUids=["nowhere"]), "cannot read it: FileNotFoundError"),
        (
            change_file("metadata/part-00001-c000.txt", "{}"),
            "expected one file of metadata, found part-00000-c000.txt, p",
        ),
        (rename("metadata/part-00000-c000.txt", "metadata/part-00000.gz"), "one file of metadata, found part-00000.gz"),
        (change_file("metadata/.hidden=1/part-00000-c000.txt", "{}"), "expected one file of metadata, found .hidden=1"),
        (change_file("metadata/part-00000-c000.txt", '{"class": "a", "class": "b"}'), "a key stands twice"),
        (change_file("metadata/part-00000-c000.txt", "{}\n{}"), "cannot read it: ValueError"),
        (change_file("metadata/part-00000-c000.txt", "[]"), "cannot read it: KeyError('class')"),
        (change_file("metadata/part-00000-c000.txt", "not JSON"), "cannot read it: JSONDecodeError"),
    ],
)
def test_what_is_not_a_pipeline_of_trusted_stages_is_refused_unread(model: Path, change: Change, reason: str) -> None:
    change(model)
    with pytest.raises(Refused) as refused:
        spark.load(model)
    assert reason in str(refused.value)


def test_a_folder_without_a_spark_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {spark: {model_data: /etc}}")
    with pytest.raises(Refused, match="expected a folder sparkml in the model, found none"):
        spark.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            change_metadata(0, handleInvalid="skip"),
            "StringIndexerModel that answers each row, found handleInvalid 'skip'",
        ),
        (
            change_metadata(1, handleInvalid="skip"),
            "OneHotEncoderModel that answers each row, found handleInvalid 'skip'",
        ),
        (change_metadata(0, inputCol="carat"), "expected a StringIndexer of strings, found one of 'carat'"),
        (change_metadata(2, missingValue=-1.0), "expected an Imputer whose missingValue is NaN, found -1.0"),
        (change_metadata(3, handleInvalid="skip"), "that answers each row, found handleInvalid 'skip'"),
        (change_metadata(4, thresholds=[0.2, 0.8]), "without thresholds, found [0.2, 0.8]"),
        (
            change_metadata(2, kind=f"{SPARK}.feature.Word2VecModel"),
            "as ONNX, found feature.Word2VecModel: such a model",
        ),
        (change_metadata(4, kind=f"{SPARK}.feature.VectorAssembler"), "as ONNX, found feature.VectorAssembler"),
        (change_rows(0, {"labels": []}), "cannot read it: KeyError('labelsArray')"),
        (change_file("stages/1_stage_1/data/part-00000-c000.snappy.parquet", "torn"), "cannot read it: ArrowInvalid"),
    ],
)
def test_what_cannot_be_written_as_onnx_is_refused_with_the_reason(model: Path, change: Change, reason: str) -> None:
    change(model)
    with pytest.raises(Refused) as refused:
        converted(model)
    assert reason in str(refused.value)


def test_a_stage_that_reads_what_nobody_gives_is_refused_by_the_name_of_the_column(model: Path) -> None:
    change_metadata(3, inputCols=["flag", "weight"])(model)
    with pytest.raises(
        Refused, match="^expected stages that read inputs or one another, found one that reads 'weight'$"
    ):
        converted(model)


def of_numbers(
    tmp_path: Path, kind: str, parameters: Parameters, saved: Parameters, labels: tuple[str, ...] = ()
) -> bytes:
    """A graph of one number, or of one of `labels`, by the carat alone."""
    root = tmp_path / "numbers" / "sparkml"
    places = range(3 if labels else 2)
    write_metadata(root, f"{SPARK}.PipelineModel", {"stageUids": [f"stage_{place}" for place in places]})
    assemble = {"inputCols": ["carat"], "outputCol": "features", "handleInvalid": "error"}
    write_stage(root, 0, "feature.VectorAssembler", assemble)
    write_stage(root, 1, kind, {"featuresCol": "features", **parameters}, saved)
    if labels:
        write_stage(root, 2, "feature.IndexToString", {"labels": list(labels)})
    return spark.to_onnx(spark.load(root.parent), root.parent, INPUTS)


def dense(*values: float) -> Parameters:
    return {"type": 1, "size": None, "indices": None, "values": list(values)}


def test_each_of_several_labels_has_the_share_of_its_exponent(tmp_path: Path) -> None:
    weights = {"type": 1, "numRows": 3, "numCols": 1, "isTransposed": True, "values": [0.5, -0.5, 0.0]}
    saved = {"isMultinomial": True, "coefficientMatrix": weights, "interceptVector": dense(0.0, 1.0, 0.25)}
    graph = of_numbers(tmp_path, "classification.LogisticRegressionModel", {}, saved, ("Adelie", "Gentoo", "Chin"))
    labels, probabilities = answers(graph, ["", ""], [4.0, -1.0])
    raw = [[2.0, -1.0, 0.25], [-0.5, 1.5, 0.25]]
    assert list(map(str, labels)) == ["Adelie", "Gentoo"]
    assert probabilities == pytest.approx(
        [math.exp(max(each)) / sum(map(math.exp, each)) for each in raw], rel=1e-15, abs=0
    )


def number(graph: bytes, *carats: float) -> list[float]:
    given = {"input_0": numpy.array([""] * len(carats), dtype=object), "input_1": numpy.array(carats)}
    return list(onnxruntime.InferenceSession(graph).run(["prediction"], given)[0])


def test_a_regression_of_numbers_answers_what_one_reckons_by_hand(tmp_path: Path) -> None:
    saved = {"coefficients": dense(2.0), "intercept": -1.0}
    linear = of_numbers(tmp_path / "a", "regression.LinearRegressionModel", {}, saved)
    poisson = of_numbers(tmp_path / "b", "regression.GeneralizedLinearRegressionModel", {"family": "poisson"}, saved)
    assert number(linear, 3.0, -0.5) == [5.0, -2.0]
    assert number(poisson, 3.0, -1e9) == pytest.approx([math.exp(5), 1e-16], rel=1e-15, abs=0)


def test_a_link_that_is_not_written_is_named(tmp_path: Path) -> None:
    saved = {"coefficients": dense(2.0), "intercept": -1.0}
    with pytest.raises(Refused, match="found binomial with probit"):
        parameters = {"family": "binomial", "link": "probit"}
        of_numbers(tmp_path, "regression.GeneralizedLinearRegressionModel", parameters, saved)


def test_a_row_that_spark_refuses_gets_no_number(tmp_path: Path, model: Path) -> None:
    leaf = {
        "id": 0,
        "prediction": 5.0,
        "impurityStats": [1.0, 3.0],
        "leftChild": -1,
        "rightChild": -1,
        "split": {"a": 0},
    }
    tree = of_numbers(tmp_path / "a", "regression.DecisionTreeRegressionModel", {}, leaf)
    assert numpy.isnan(number(tree, math.nan, 2.0)).tolist() == [True, False]
    votes = of_numbers(tmp_path / "b", "classification.DecisionTreeClassificationModel", {}, leaf, ("Chin", "Adelie"))
    labels, probabilities = answers(votes, ["", ""], [math.nan, 2.0])
    assert numpy.isnan(probabilities).tolist() == [True, False]
    assert (str(labels[1]), probabilities[1]) == ("Adelie", 0.75)
    change_metadata(0, handleInvalid="error")(model)
    _, probabilities = answers(converted(model), ["Fair", "new"], [1.0, 1.0])
    assert numpy.isnan(probabilities).tolist() == [False, True]


def test_what_is_said_to_be_written_is_written() -> None:
    assert FEATURES.keys() | CLASSIFIERS.keys() | REGRESSORS.keys() == ONLINE
    assert spark.TRUSTED_STAGES > ONLINE
