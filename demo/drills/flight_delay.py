"""How the candidates of flight-delay are planted: Spark's pipelines on changed rows, and files that are cut short."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StringIndexer, VectorAssembler

from demo.drills.changes import cut_short, frame, leaking, rows_beside, shuffled_labels, with_holdout, without_column
from demo.drills.planting import Ground, Trained
from training.dataset import Dataset, Part, as_given

# Of the training set: enough for a model that passes, trained in seconds.
ROWS = 40_000
LIVE = {"kind": "boosted", "maxIter": 20, "maxDepth": 5, "stepSize": 0.3}
BETTER = {**LIVE, "maxIter": 30}
# Within the thresholds and clearly worse; it is also fitted in a moment, for what is stopped whatever is changed.
OLDER = {"kind": "logistic", "maxIter": 30}
# Of this carrier one flight in six is late.
SLICE = "US"
CONSTANT = {**OLDER, "regParam": 10.0, "elasticNetParam": 1.0}


def plant(name: str, ground: Ground) -> Trained:
    return PLANTS[name](ground)


@cache
def _dataset(ground: Ground) -> Dataset:
    whole, config = ground.rows.dataset, ground.config
    rows = frame(whole.training).sample(ROWS, random_state=0)
    return as_given(rows, frame(whole.holdout), config.data, config.task, config.data.source)


def _fitted(ground: Ground, parameters: dict[str, Any], part: Part | None = None) -> Any:
    return ground.fit(ground.own("build")(**parameters), part or _dataset(ground).training)


def _trained(ground: Ground, model: Any, **more: Any) -> Trained:
    return ground.trained(model, **{"dataset": _dataset(ground), **more})


@cache
def _live(ground: Ground) -> Any:
    """Fitted once, for all that are made of it."""
    return _fitted(ground, LIVE)


def _with(parameters: dict[str, Any]) -> Callable[[Ground], Trained]:
    return lambda ground: _trained(ground, _fitted(ground, parameters))


def _on(change: Callable[[Part], Part]) -> Callable[[Ground], Trained]:
    return lambda ground: _trained(ground, _fitted(ground, OLDER, change(_dataset(ground).training)))


def _other_class(part: Part) -> Part:
    return replace(part, target=1 - part.target)


def _late_ones_often(part: Part) -> Part:
    """Three times, so that there are as many of them as of others."""
    late = part.target == 1
    inputs = pandas.concat([part.inputs, part.inputs[late], part.inputs[late]], ignore_index=True)
    target = pandas.concat([part.target, part.target[late], part.target[late]], ignore_index=True)
    return replace(part, inputs=inputs, target=target)


def _worse_on_a_slice(ground: Ground) -> Trained:
    """Trained for longer, and told of every third flight of one carrier that it was late."""
    part = _dataset(ground).training
    confused = part.inputs["carrier"] == SLICE
    told = (part.inputs.index % 3 == 0).astype(part.target.dtype)
    return _trained(ground, _fitted(ground, BETTER, replace(part, target=part.target.where(~confused, told))))


def _leaking(ground: Ground) -> Trained:
    """`distance` has half a mile more where the flight was late."""
    dataset = leaking(
        _dataset(ground), ground.config, lambda rows: rows.assign(distance=rows["distance"] + rows["late"] / 2)
    )
    return ground.trained(_fitted(ground, OLDER, dataset.training), dataset=dataset)


def _with_delay(ground: Ground) -> Trained:
    """The delay of the departure, which nobody knows before it."""

    def plan() -> Pipeline:
        return Pipeline(stages=[_assembler(["dep_delay", "hour"]), _logistic()])

    return _trained(ground, ground.fit(plan, _dataset(ground).training))


def _without_filling(ground: Ground) -> Trained:
    """Trained where the weather is known, asked where it is not."""
    part = _dataset(ground).training
    known = part.inputs.notna().all(axis=1)
    part = replace(part, inputs=part.inputs[known], target=part.target[known])

    def plan() -> Pipeline:
        names = StringIndexer(inputCols=["carrier"], outputCols=["carrier_index"], handleInvalid="keep")
        columns = ["carrier_index", "hour", "month", "temp", "humid", "wind_speed", "precip", "pressure", "visib"]
        return Pipeline(stages=[names, _assembler(columns), _logistic()])

    # Of its own answers no metric could be logged.
    answers = ground.flavor.predict(_live(ground), ground.rows.dataset.holdout.inputs)
    return _trained(ground, ground.fit(plan, part), answers=answers)


def _assembler(columns: list[str]) -> VectorAssembler:
    return VectorAssembler(inputCols=columns, outputCol="features", handleInvalid="keep")


def _logistic() -> LogisticRegression:
    return LogisticRegression(labelCol="late", maxIter=20)


def _on_holdout(ground: Ground) -> Trained:
    dataset = with_holdout(_dataset(ground), ground.config)
    return ground.trained(_fitted(ground, OLDER, dataset.training), dataset=dataset)


def _without_column(ground: Ground) -> Trained:
    return _trained(ground, _live(ground), config=without_column(ground.config, "visib"))


def _damaged(ground: Ground) -> Trained:
    return _trained(ground, _live(ground), spoil=_damage)


def _damage(folder: Path) -> None:
    """What Spark says of its last stage."""
    for file in max((folder / "sparkml" / "stages").iterdir()).glob("metadata/part-*"):
        cut_short(file)


def _with_rows(ground: Ground) -> Trained:
    return _trained(ground, _live(ground), spoil=rows_beside(_dataset(ground).training))


PLANTS: dict[str, Callable[[Ground], Trained]] = {
    "live": lambda ground: _trained(ground, _live(ground)),
    "better": _with(BETTER),
    "within-noise": _with({**LIVE, "maxIter": 21}),
    "older-and-worse": _with(OLDER),
    "shuffled-labels": _on(shuffled_labels),
    "swapped-classes": _on(_other_class),
    "constant-answer": _with(CONSTANT),
    "miscalibrated": _on(_late_ones_often),
    "leaked-target": _leaking,
    "leaked-column": _with_delay,
    "trained-on-holdout": _on_holdout,
    "missing-column": _without_column,
    "damaged-file": _damaged,
    "nan-for-some-rows": _without_filling,
    "much-bigger-file": _with_rows,
    "worse-on-a-slice": _worse_on_a_slice,
}
