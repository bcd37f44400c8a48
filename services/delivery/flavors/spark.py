"""Spark MLlib: saved stages are checked before Spark sees them, asked in a JVM, and written as a graph without one."""

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy
import onnx
import pyarrow
from onnx import TensorProto, helper
from pyarrow.parquet import ParquetFile

from services.contract.errors import Refused, jvm_reason
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column, Form
from services.delivery.onnx.tree_ensemble import Branch, Leaf, Node, input_name, tree_ensemble, write_graph

# A row takes Spark 70 to 280 ms, and a JVM stands beside every process: as it is, a model is for batch only.
NATIVE: Form | None = None
MODEL_FOLDER = "sparkml"

_SPARK = "org.apache.spark.ml."
# What a metadata file names is made by Spark, in Python by importing it: so these stages and no others. Not among them,
# whatever else is added: SQLTransformer, whose SQL can call any static method of Java.
TRUSTED_STAGES = frozenset(
    {
        "feature.Bucketizer",
        "feature.ImputerModel",
        "feature.MinMaxScalerModel",
        "feature.OneHotEncoderModel",
        "feature.StandardScalerModel",
        "feature.StringIndexerModel",
        "feature.VectorAssembler",
        "classification.DecisionTreeClassificationModel",
        "classification.GBTClassificationModel",
        "classification.LogisticRegressionModel",
        "classification.RandomForestClassificationModel",
    }
)
# Spark reads the first line of whatever it finds, so nothing else may lie beside the one file that is checked.
_METADATA_FILE = re.compile(r"part-00000[-\w]*(\.txt)?")
_BESIDE_IT = re.compile(r"_SUCCESS|\.(_SUCCESS|part-00000[-\w]*(\.txt)?)\.crc")
_UID = re.compile(r"\w+")
_ARROW = {
    "double": pyarrow.float64(),
    "long": pyarrow.int64(),
    "string": pyarrow.string(),
    "boolean": pyarrow.bool_(),
}
_SETTINGS = {
    "spark.driver.memory": "2g",
    # It answers one hold-out and ends: compiled for hours to come, with threads that collect, it takes twice as long.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Else the optimizer itself answers, for a few rows as for many: on one core and interpreted.
    "spark.sql.execution.arrow.localRelationThreshold": "0",
}


@dataclass(frozen=True)
class Stage:
    """A saved stage; `kind` is its class without Spark's own prefix."""

    folder: Path
    kind: str
    parameters: dict[str, Any]

    def columns(self, side: str) -> list[str]:
        """`side` is `input` or `output`; a stage names one column or a list of them."""
        return list(self.parameters.get(f"{side}Cols") or [self.parameters[f"{side}Col"]])

    def rows(self, part: str = "data") -> list[dict[str, Any]]:
        files = sorted((self.folder / part).glob("part-*.parquet"))
        return [row for file in files for row in ParquetFile(file).read().to_pylist()]


@dataclass(frozen=True)
class SavedPipeline:
    folder: Path
    stages: tuple[Stage, ...]

    @cached_property
    def fitted(self) -> Any:
        """Spark's own model; asked for when it is needed, because a graph is written without a JVM."""
        from pyspark.ml import PipelineModel

        _session()
        try:
            return PipelineModel.load(self.folder.absolute().as_uri())
        # A damaged file fails in whatever way Spark happens to fail.
        except Exception as error:
            raise Refused(f"{self.folder}: expected a Spark pipeline, cannot load it: {jvm_reason(error)}") from error


def load(folder: Path) -> SavedPipeline:
    """Raises Refused, before Spark sees any of it, for a stage that is not on our own list."""
    root = folder / MODEL_FOLDER
    if not root.is_dir():
        raise Refused(f"expected a folder {MODEL_FOLDER} in the model, found none: log it with mlflow.spark")
    try:
        return SavedPipeline(root, tuple(_stages(root)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"{root}: expected a saved Spark pipeline, cannot read it: {error!r}") from error


def predict(model: SavedPipeline, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    """Raises ValueError when Spark cannot take a row, Refused for a model that answers anything but 0 or 1."""
    from pyspark.ml.functions import vector_to_array

    answers = model.fitted.transform(_session().createDataFrame(_table(rows, inputs)))
    if "probability" not in answers.columns:
        raise Refused("expected a classifier with a column 'probability', found a model without one")
    try:
        table = answers.select("prediction", vector_to_array(answers["probability"]).alias("probability")).toArrow()
    # Spark gives what happened in the JVM as one of several kinds of error.
    except Exception as error:
        raise ValueError(f"Spark cannot answer: {jvm_reason(error)}") from error
    labels, probabilities = (table[name].to_pylist() for name in ("prediction", "probability"))
    if any(len(each) != 2 for each in probabilities):
        raise Refused("expected a model of two labels, 0 and 1, found one of more")
    return [Labelled(label=int(label), probability=one) for label, (_, one) in zip(labels, probabilities, strict=True)]


def to_onnx(model: SavedPipeline, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001  of the protocol
    """Raises Refused, with the reason, for a stage or an option that is not written."""
    *features, classifier = model.stages
    graph = _Graph(inputs)
    try:
        for stage in features:
            _known(stage, _FEATURES)(stage, graph)
        return graph.answered(*_known(classifier, _CLASSIFIERS)(classifier, graph))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise Refused(f"{model.folder}: expected a saved Spark pipeline, cannot read it: {error!r}") from error


def _stages(root: Path) -> Iterable[Stage]:
    pipeline = _metadata(root)
    if pipeline["class"] != f"{_SPARK}PipelineModel" or set(pipeline["paramMap"]) != {"stageUids"}:
        raise Refused(
            f"{root}: expected a pipeline of Spark's own stages, found one of {pipeline['class']} with "
            f"{', '.join(sorted(pipeline['paramMap']))}: it is not loaded"
        )
    uids = pipeline["paramMap"]["stageUids"]
    if not uids or not all(_UID.fullmatch(uid) for uid in uids):
        raise Refused(f"{root}: expected names of stages, found {uids}")
    digits = len(str(len(uids)))
    for place, uid in enumerate(uids):
        yield _stage(root / "stages" / f"{place:0{digits}}_{uid}")


def _stage(folder: Path) -> Stage:
    metadata = _metadata(folder)
    kind = metadata["class"].removeprefix(_SPARK)
    if kind not in TRUSTED_STAGES or kind == metadata["class"]:
        raise Refused(f"expected only trusted stages in {MODEL_FOLDER}, found {metadata['class']}: it is not loaded")
    return Stage(folder, kind, {**metadata["defaultParamMap"], **metadata["paramMap"]})


def _metadata(folder: Path) -> dict[str, Any]:
    names = sorted(path.name for path in (folder / "metadata").iterdir() if not _BESIDE_IT.fullmatch(path.name))
    if len(names) != 1 or not _METADATA_FILE.fullmatch(names[0]):
        raise Refused(f"{folder}: expected one file of metadata, found {', '.join(names) or 'none'}")
    (line,) = (folder / "metadata" / names[0]).read_text(encoding="utf-8").strip().split("\n")
    return dict(json.loads(line, object_pairs_hook=_unique))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two equal keys Spark may take the other one than we."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice in the metadata")
    return dict(pairs)


def _table(rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> pyarrow.Table:
    cells = list(zip(*rows, strict=True)) or [()] * len(inputs)
    try:
        return pyarrow.table(
            {column.name: pyarrow.array(each, _ARROW[column.type]) for column, each in zip(inputs, cells, strict=True)}
        )
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _session() -> Any:
    from pyspark.sql import SparkSession

    if running := SparkSession.getActiveSession():
        return running
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.appName("trackback").master("local[2]")
    for key, value in _SETTINGS.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    # Without a Java there is no gateway, and no one kind of error for that.
    except Exception as error:
        raise Refused(
            f"expected a Java of version 17 or newer for Spark, cannot start it: {jvm_reason(error)}"
        ) from error


@dataclass
class _Graph:
    """What is written so far: `columns` are Spark's, each a tensor of shape (rows, width), double but for strings."""

    inputs: Sequence[Column]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, numpy.ndarray] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    def add(self, operator: str, *names: str, output: str | None = None, **attributes: Any) -> str:
        """The name of what the new node gives."""
        output = output or f"_{len(self.nodes)}_{operator}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        name = f"_constant_{len(self.constants)}"
        self.constants[name] = numpy.asarray(value)
        return name

    def column(self, name: str) -> str:
        """Raises Refused for one that is neither an input nor given by an earlier stage."""
        if name not in self.columns:
            place = next((place for place, column in enumerate(self.inputs) if column.name == name), None)
            if place is None:
                raise Refused(f"expected stages that read inputs or one another, found one that reads '{name}'")
            self.columns[name] = self.add("Unsqueeze", input_name(place), self.constant([1]))
        return self.columns[name]

    def type_of(self, name: str) -> str:
        return next((column.type for column in self.inputs if column.name == name), "double")

    def answered(self, probability: str, score: str, limit: float) -> bytes:
        """The label is 1 when `score` is above `limit`; both tensors are of shape (rows, 1)."""
        axis = self.constant([1])
        above = self.add("Cast", self.add("Greater", score, self.constant(limit)), to=TensorProto.INT64)
        self.add("Squeeze", above, axis, output="label")
        self.add("Squeeze", probability, axis, output="probability")
        outputs = {"label": TensorProto.INT64, "probability": TensorProto.DOUBLE}
        return write_graph(self.nodes, self.inputs, outputs, self.constants)


def _index(stage: Stage, graph: _Graph) -> None:
    """A label's place; one that is not known, and none at all, has the place behind the last."""
    _keeps_what_it_does_not_know(stage)
    (saved,) = stage.rows()
    for column, output, labels in zip(
        stage.columns("input"), stage.columns("output"), saved["labelsArray"], strict=True
    ):
        if graph.type_of(column) != "string":
            raise Refused(f"expected a StringIndexer of strings, found one of '{column}': only strings are written")
        found = graph.add(
            "LabelEncoder",
            graph.column(column),
            domain="ai.onnx.ml",
            keys_strings=labels,
            values_int64s=range(len(labels)),
            default_int64=len(labels),
        )
        graph.columns[output] = graph.add("Cast", found, to=TensorProto.DOUBLE)


def _one_hot(stage: Stage, graph: _Graph) -> None:
    """A row of a unit matrix; what is not in 0..size is in place `size`, whose column goes when the last is dropped."""
    _keeps_what_it_does_not_know(stage)
    (saved,) = stage.rows()
    for column, output, size in zip(
        stage.columns("input"), stage.columns("output"), saved["categorySizes"], strict=True
    ):
        value, last = graph.column(column), graph.constant(float(size))
        not_below = graph.add("GreaterOrEqual", value, graph.constant(0.0))
        inside = graph.add("And", not_below, graph.add("Less", value, last))
        place = graph.add("Cast", graph.add("Where", inside, value, last), to=TensorProto.INT64)
        unit = numpy.eye(size + 1)[:, : size if stage.parameters["dropLast"] else size + 1]
        row = graph.add("Squeeze", place, graph.constant([1]))
        graph.columns[output] = graph.add("Gather", graph.constant(unit), row)


def _impute(stage: Stage, graph: _Graph) -> None:
    if (missing := stage.parameters["missingValue"]) != "NaN":
        raise Refused(f"expected an Imputer whose missingValue is NaN, found {missing}: only NaN is written")
    (surrogates,) = stage.rows()
    for column, output in zip(stage.columns("input"), stage.columns("output"), strict=True):
        value = graph.column(column)
        surrogate = graph.constant(float(surrogates[column]))
        graph.columns[output] = graph.add("Where", graph.add("IsNaN", value), surrogate, value)


def _assemble(stage: Stage, graph: _Graph) -> None:
    if stage.parameters["handleInvalid"] == "skip":
        raise Refused("expected a VectorAssembler that answers each row, found handleInvalid 'skip'")
    parts = [graph.column(column) for column in stage.columns("input")]
    graph.columns[stage.parameters["outputCol"]] = graph.add("Concat", *parts, axis=1)


def _keeps_what_it_does_not_know(stage: Stage) -> None:
    if (found := stage.parameters["handleInvalid"]) != "keep":
        raise Refused(f"expected {stage.kind} with handleInvalid 'keep', found '{found}': only 'keep' is written")


def _features(stage: Stage, graph: _Graph) -> str:
    if stage.parameters.get("thresholds"):
        raise Refused(f"expected {stage.kind} without thresholds, found {stage.parameters['thresholds']}")
    return graph.column(stage.parameters["featuresCol"])


def _logistic(stage: Stage, graph: _Graph) -> tuple[str, str, float]:
    (saved,) = stage.rows()
    if saved["isMultinomial"] or saved["numClasses"] != 2:
        raise Refused(f"expected a binary LogisticRegression, found a multinomial one of {saved['numClasses']} labels")
    weights = graph.constant(_weights(saved["coefficientMatrix"])[:, None])
    intercept = graph.constant(float(sum(saved["interceptVector"]["values"])))
    margin = graph.add("Add", graph.add("MatMul", _features(stage, graph), weights), intercept)
    return _probability(graph, margin), margin, _log_odds(stage.parameters["threshold"])


def _weights(matrix: dict[str, Any]) -> numpy.ndarray:
    """Of shape (features,), from Spark's matrix of one row: dense, or sparse by rows or by columns."""
    weights = numpy.zeros(matrix["numCols"])
    if matrix["type"] == 1:
        weights[:] = matrix["values"]
    elif matrix["isTransposed"]:
        weights[matrix["rowIndices"]] = matrix["values"]
    else:
        weights[numpy.repeat(numpy.arange(matrix["numCols"]), numpy.diff(matrix["colPtrs"]))] = matrix["values"]
    return weights


def _log_odds(threshold: float) -> float:
    if threshold in (0, 1):
        return math.inf if threshold else -math.inf
    return math.log(threshold / (1 - threshold))


def _probability(graph: _Graph, score: str) -> str:
    """As Spark has it, 1 less the probability of 0: a small one has few digits there, and so the same ones here."""
    one = graph.constant(1.0)
    zero = graph.add("Div", one, graph.add("Add", one, graph.add("Exp", score)))
    return graph.add("Sub", one, zero)


def _boosted(stage: Stage, graph: _Graph) -> tuple[str, str, float]:
    """Spark's loss is of twice the margin: https://spark.apache.org/docs/latest/mllib-ensembles.html#losses"""
    weights = {row["_1"]: row["_3"] for row in stage.rows("treesMetadata")}

    def weighted(tree: int) -> Callable[[dict[str, Any]], float]:
        return lambda node: float(weights[tree] * node["prediction"])

    trees = [_tree(nodes, weighted(tree)) for tree, nodes in _forest(stage).items()]
    margin = _sum(graph, trees, _features(stage, graph))
    return _probability(graph, graph.add("Add", margin, margin)), margin, 0.0


def _random_forest(stage: Stage, graph: _Graph) -> tuple[str, str, float]:
    forest = _forest(stage)
    trees = [_tree(nodes, lambda node: _share_of_ones(node) / len(forest)) for nodes in forest.values()]
    probability = _sum(graph, trees, _features(stage, graph))
    return probability, probability, 0.5


def _share_of_ones(node: dict[str, Any]) -> float:
    counts = node["impurityStats"]
    if len(counts) != 2:
        raise Refused(f"expected a RandomForest of two labels, found one of {len(counts)}")
    return float(counts[1] / sum(counts))


def _sum(graph: _Graph, trees: Sequence[Node], features: str) -> str:
    output = f"_{len(graph.nodes)}_trees"
    graph.nodes.append(tree_ensemble(trees, features, output))
    return output


def _forest(stage: Stage) -> dict[int, dict[int, dict[str, Any]]]:
    """The saved nodes by tree and number."""
    forest: dict[int, dict[int, dict[str, Any]]] = {}
    for row in stage.rows():
        forest.setdefault(row["treeID"], {})[row["nodeData"]["id"]] = row["nodeData"]
    return dict(sorted(forest.items()))


def _tree(nodes: dict[int, dict[str, Any]], value: Callable[[dict[str, Any]], float], root: int = 0) -> Node:
    """Spark lets a tree be no deeper than 30."""
    node, split = nodes[root], nodes[root]["split"]
    if node["leftChild"] < 0:
        return Leaf(value(node))
    left, right = (_tree(nodes, value, node[side]) for side in ("leftChild", "rightChild"))
    feature, cut = split["featureIndex"], split["leftCategoriesOrThreshold"]
    if split["numCategories"] < 0:
        return Branch(feature, cut[0], left, right)
    # Spark keeps the smaller half, and what is in neither goes the other way: see CategoricalSplit.
    if len(cut) <= split["numCategories"] // 2:
        return Branch(feature, 0.0, left, right, members=tuple(cut))
    others = set(map(float, range(split["numCategories"]))) - set(cut)
    return Branch(feature, 0.0, right, left, members=tuple(sorted(others)))


_FEATURES: dict[str, Callable[[Stage, _Graph], None]] = {
    "feature.StringIndexerModel": _index,
    "feature.OneHotEncoderModel": _one_hot,
    "feature.ImputerModel": _impute,
    "feature.VectorAssembler": _assemble,
}
# Each gives the probability of 1, a score and the limit above which the score means 1.
_CLASSIFIERS: dict[str, Callable[[Stage, _Graph], tuple[str, str, float]]] = {
    "classification.LogisticRegressionModel": _logistic,
    "classification.GBTClassificationModel": _boosted,
    "classification.RandomForestClassificationModel": _random_forest,
}


def _known(stage: Stage, writers: dict[str, Any]) -> Any:
    if stage.kind not in writers:
        raise Refused(f"expected one of {', '.join(sorted(writers))} as ONNX, found {stage.kind}")
    return writers[stage.kind]
