"""Spark MLlib: saved stages are checked before Spark sees them, and asked in a JVM."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow

from services.contract.cells import columns_of, is_missing, number
from services.contract.errors import Refused, jvm_reason
from services.contract.java import without_session
from services.contract.moments import MOMENTS
from services.contract.prediction import Prediction
from services.contract.release import Column, Form
from services.contract.spark import (
    CLASSES,
    CLASSIFIERS,
    FEATURES,
    NAMES_OF_LABELS,
    ON_THIS_MACHINE,
    PREDICTION,
    PROBABILITY,
    REGRESSORS,
    SESSION_SETTINGS,
    predictions,
)
from services.delivery.onnx import IN_DOUBLE
from services.delivery.onnx.spark_stage import Stage

# A row takes Spark 70 to 280 ms, and a JVM stands beside every process: as it is, a model is for batch only.
NATIVE: Form | None = None
MODEL_FOLDER = "sparkml"

_SPARK = "org.apache.spark.ml."
# What a metadata file names is made by Spark, in Python by importing it: so these stages and no others.
TRUSTED_STAGES = frozenset({*FEATURES.values(), *CLASSIFIERS.values(), *REGRESSORS.values(), NAMES_OF_LABELS})
# Spark reads the first line of whatever it finds, so nothing else may lie beside the one file that is checked.
_METADATA_FILE = re.compile(r"part-00000[-\w]*(\.txt)?")
_BESIDE_IT = re.compile(r"_SUCCESS|\.(_SUCCESS|part-00000[-\w]*(\.txt)?)\.crc")
_UID = re.compile(r"\w+")
_ARROW = {
    "double": pyarrow.float64(),
    "long": pyarrow.int64(),
    "boolean": pyarrow.bool_(),
}
# What reading files raises that are not as Spark writes them.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError)
_SETTINGS = {
    **SESSION_SETTINGS,
    **ON_THIS_MACHINE,
    # It answers one hold-out and ends: compiled for hours to come, with threads that collect, it takes twice as long.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@dataclass(frozen=True)
class SavedPipeline:
    folder: Path
    stages: tuple[Stage, ...]

    @property
    def labels(self) -> list[str] | None:
        """Their names in Spark's order, when the last stage has them."""
        last = self.stages[-1]
        return list(last.parameters["labels"]) if last.kind == NAMES_OF_LABELS else None

    @property
    def classifies(self) -> bool:
        return any(stage.kind in CLASSIFIERS.values() for stage in self.stages)

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
    except _DAMAGED as error:
        raise Refused(f"{root}: expected a saved Spark pipeline, cannot read it: {error!r}") from error


def predict(model: SavedPipeline, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    """Raises ValueError when Spark cannot take a row, Refused for a classifier without probabilities or names."""
    return predictions(_answers(model, rows, inputs), model.labels)


def predict_proba(model: SavedPipeline, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:
    return predictions(_answers(model, rows, inputs), model.labels, all_classes=True)


def _answers(model: SavedPipeline, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> dict[str, list[Any]]:
    """Columns of the transformed frame."""
    from pyspark.ml.functions import vector_to_array

    answers = model.fitted.transform(_session().createDataFrame(_table(rows, inputs)))
    columns = [answers[PREDICTION]]
    if model.classifies:
        if PROBABILITY not in answers.columns:
            raise Refused(f"expected a classifier with a column '{PROBABILITY}', found a model without one")
        columns.append(vector_to_array(answers[PROBABILITY]).alias(PROBABILITY))
    try:
        table = answers.select(*columns).toArrow()
    # Spark gives what happened in the JVM as one of several kinds of error.
    except Exception as error:
        raise ValueError(f"Spark cannot answer: {jvm_reason(error)}") from error
    return dict(table.to_pydict())


def classes(model: SavedPipeline) -> Sequence[str]:
    if not model.classifies:
        return ()
    return CLASSES if model.labels is None else model.labels


def to_onnx(model: SavedPipeline, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001  of the protocol
    """Raises Refused, with the reason, for a stage or an option that is not written."""
    # Asking a model needs none of it.
    from services.delivery.onnx.spark import write_stages

    try:
        return write_stages(model.stages, inputs)
    except _DAMAGED as error:
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
    cells = zip(inputs, columns_of(rows, inputs), strict=True)
    try:
        return pyarrow.table({column.name: _array(each, column) for column, each in cells})
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _array(cells: Sequence[Any], column: Column) -> pyarrow.Array:
    """A text that is missing is null, a number NaN; a moment is a number."""
    if column.type == "string":
        return pyarrow.array([None if is_missing(cell) else cell for cell in cells], pyarrow.string())
    if column.type in MOMENTS or not column.required:
        return pyarrow.array([number(cell, column) for cell in cells], pyarrow.float64())
    return pyarrow.array(cells, _ARROW[column.type])


def _session() -> Any:
    from pyspark.sql import SparkSession

    if running := SparkSession.getActiveSession():
        return running
    builder = SparkSession.builder.appName("trackback").master("local[2]")
    for key, value in _SETTINGS.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    # Without a Java there is no gateway, and no one kind of error for that.
    except Exception as error:
        raise without_session("local[2]", error) from error


def tolerance(model: SavedPipeline) -> float:  # noqa: ARG001  of all of them
    return IN_DOUBLE
