"""Scores a release that is for batch only by Spark's own transform: no other form of its pipeline answers online.

What its stages are was checked by the gates, and the digest of the release is of the files that they saw.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyspark
from pyspark.ml import PipelineModel
from pyspark.ml.feature import IndexToString
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql

from services.batch.failures import FAILED, task_reason
from services.batch.inputs import Input
from services.batch.worker import SPOILT
from services.contract import names
from services.contract.batch_job import BatchJob
from services.contract.errors import Refused
from services.contract.moments import MOMENTS
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column as InputColumn
from services.contract.release import Golden, Release
from services.contract.spark import PREDICTION, PROBABILITY

MODEL = f"{names.MODEL_FOLDER}/sparkml"
REASON = "reason"
_KEPT, _GIVEN, _ROW = "_trackback_kept", "_trackback_given", "_trackback_row"
_TYPES = {"double": "double", "long": "bigint", "string": "string", "boolean": "boolean"}
_WORDS = {"double": "a number", "long": "a whole number", "string": "a string", "boolean": "true or false"}
_NOT_FINITE = "expected a finite number, found NaN, an infinity or a number too large"
_OF_ANOTHER_LENGTH = "expected a list of as many values as the first line has, found one of another length"
_INFINITE = "the model has no finite answer: a number is far outside what it was trained on"


class SparkScorer:
    """`model` is where the executors find the pipeline. Raises Refused unless it repeats its golden answers."""

    def __init__(self, job: BatchJob, release: Release, golden: Golden, found: Input, model: str) -> None:
        self._release, self._keep, self._inputs = release, job.keep, release.manifest.inputs
        _check_columns(found, release, job.keep)
        try:
            self._model = PipelineModel.load(model)
            golden.check(self._answers(found.session, golden))
        except FAILED as error:
            raise Refused(f"expected a Spark pipeline that answers, found: {task_reason(error)}") from error

    @property
    def versions(self) -> Mapping[str, str]:
        return {"pyspark": pyspark.__version__}

    def scored(self, rows: DataFrame) -> DataFrame:
        answered = self._answered(rows, self._keep)
        answer = [name for name in answered.columns if name != _KEPT]
        manifest = self._release.manifest
        identity = {"model": manifest.model, "revision": manifest.revision, "release": self._release.digest}
        kept = [sql.col(_KEPT)[name].alias(name) for name in self._keep]
        told = [sql.lit(value).alias(name) for name, value in identity.items()]
        return answered.filter(_finite(answered)).select(*kept, *answer, *told)

    def rejected(self, rows: DataFrame) -> DataFrame:
        wrong = rows.withColumn(REASON, self._problem(rows)).filter(sql.col(REASON) != "").drop(SPOILT)
        columns = [name for name in rows.columns if name != SPOILT]
        answered = self._answered(rows, columns)
        given = [sql.col(_KEPT)[name].alias(name) for name in columns]
        infinite = answered.filter(~_finite(answered)).select(*given, sql.lit(_INFINITE).alias(REASON))
        return wrong.unionByName(infinite)

    def _answered(self, rows: DataFrame, keep: Sequence[str]) -> DataFrame:
        """The kept columns in one, so that none of them has the name of one that a stage adds."""
        taken = rows.filter(self._problem(rows) == "")
        kept = sql.struct(*(sql.col(_quoted(name)) for name in keep), sql.lit(0).alias(_GIVEN)).alias(_KEPT)
        inputs = [_cell(rows, column).alias(column.name) for column in self._inputs]
        found = self._model.transform(taken.select(kept, *inputs))
        return found.select(_KEPT, *self._answer(found))

    def _answer(self, found: DataFrame) -> list[Column]:
        if PROBABILITY not in found.columns:
            return [sql.col(PREDICTION).cast("double").alias(names.GRAPH_PREDICTION)]
        each, last = vector_to_array(sql.col(PROBABILITY)), self._model.stages[-1]
        if isinstance(last, IndexToString):
            place = sql.array_position(sql.array(*map(sql.lit, last.getLabels())), sql.col(PREDICTION)).cast("int")
            return [
                sql.col(PREDICTION).alias(names.GRAPH_LABEL),
                sql.get(each, place - 1).alias(names.GRAPH_PROBABILITY),
            ]
        label = sql.col(PREDICTION).cast("bigint").alias(names.GRAPH_LABEL)
        return [label, sql.get(each, sql.lit(1)).alias(names.GRAPH_PROBABILITY)]

    def _problem(self, rows: DataFrame) -> Column:
        """Of a row in words, empty when there is none."""
        problem = sql.concat_ws("; ", *(_problem(rows, column) for column in self._inputs))
        if SPOILT not in rows.columns:
            return problem
        return sql.when(sql.col(SPOILT).isNull(), problem).otherwise(_OF_ANOTHER_LENGTH)

    def _answers(self, session: SparkSession, golden: Golden) -> list[Prediction]:
        types = {column.name: _TYPES.get(column.type, "string") for column in self._inputs}
        kinds = [types[name] for name in golden.columns]
        schema = [f"{_ROW} bigint", *(f"{_quoted(name)} {types[name]}" for name in golden.columns)]
        listed = [(place, *map(_value, row, kinds)) for place, row in enumerate(golden.rows)]
        found = self._answered(session.createDataFrame(listed, ", ".join(schema)), [_ROW])
        ordered = sorted(found.collect(), key=lambda one: one[_KEPT][_ROW])
        return [_prediction(one.asDict()) for one in ordered]


def _check_columns(found: Input, release: Release, keep: Sequence[str]) -> None:
    if found.format in ("json", "jsonl"):
        raise Refused("expected Parquet or CSV for a release that is for batch only, found JSON: convert it")
    known = found.schema.names
    missing = [column.name for column in release.manifest.inputs if column.required and column.name not in known]
    missing += [name for name in keep if name not in known]
    if missing:
        raise Refused(f"expected the columns {', '.join(missing)}, found {', '.join(known)}")


def _cell(rows: DataFrame, column: InputColumn) -> Column:
    """As training gave it: NaN for a missing number, null for a missing text, seconds since 1970 for a moment."""
    if column.name not in rows.columns:
        return sql.lit(None).cast("string") if column.type == "string" else sql.lit(float("nan"))
    given = _typed(column)
    if column.type == "string":
        return given if column.required else sql.when(given != "", given)
    if column.required and column.type not in MOMENTS:
        return given
    return sql.coalesce(given.cast("double"), sql.lit(float("nan")))


def _typed(column: InputColumn) -> Column:
    """Null for what is none of that type."""
    name = _quoted(column.name)
    if column.type in MOMENTS:
        return sql.expr(f"unix_micros(try_cast({name} AS timestamp)) / 1000000.0D")
    return sql.expr(f"try_cast({name} AS {_TYPES[column.type]})")


def _problem(rows: DataFrame, column: InputColumn) -> Column:
    """Null when there is none; the words are those of the online service."""
    where, words = f"column '{column.name}': ", _WORDS.get(column.type, f"a {column.type}")
    if column.name not in rows.columns:
        return sql.lit(None).cast("string")
    given, typed = sql.col(_quoted(column.name)), _typed(column)
    empty = given.isNull() | (given.cast("string") == "") if not column.required else given.isNull()
    found = sql.when(empty, sql.lit(f"{where}expected {words}, found null") if column.required else None)
    found = found.when(typed.isNull(), sql.lit(f"{where}expected {words}, found a string"))
    if column.type == "double":
        infinite = sql.isnan(typed) | (sql.abs(typed) == float("inf"))
        return found.when(
            infinite, sql.lit(f"{where}expected a finite number, found NaN, an infinity or a number too large")
        )
    return found


def _finite(answered: DataFrame) -> Column:
    number = sql.col(names.GRAPH_PROBABILITY if names.GRAPH_LABEL in answered.columns else names.GRAPH_PREDICTION)
    return number.isNotNull() & ~sql.isnan(number) & (sql.abs(number) != float("inf"))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _value(value: Any, kind: str) -> Any:
    return float(value) if value is not None and kind == "double" else value


def _prediction(answer: dict[str, Any]) -> Prediction:
    if names.GRAPH_LABEL not in answer:
        return float(answer[names.GRAPH_PREDICTION])
    return Labelled(label=answer[names.GRAPH_LABEL], probability=answer[names.GRAPH_PROBABILITY])


def model_of(folder: str) -> Path:
    return Path(folder) / MODEL
