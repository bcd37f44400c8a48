"""A Spark pipeline before its fit: what would fail later is refused here, and what can only be meant is filled in.

It asks the stages themselves, so that nothing here imports pyspark.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.contract.errors import Refused
from services.contract.spark import (
    CLASSIFIERS,
    FEATURES,
    LABEL_NUMBER,
    OF_TWO_LABELS,
    ONLINE,
    PREDICTION,
    PROBABILITY,
    REGRESSORS,
)
from services.contract.task import Task

EXPECTED = "expected `build` to return a function that returns an unfitted Pipeline"
# A missing value gets a number: its own, with `keep`, where values are numbered.
_FILLS = {"Bucketizer", "Imputer", "QuantileDiscretizer", "StringIndexer"}
# A missing number goes to one side of each split.
_TAKES_MISSING = ("DecisionTree", "RandomForest", "GBT")
_KNOWS_VALUES = ("OneHotEncoder", "StringIndexer", "TargetEncoder", "VectorIndexer")
_INSTEAD = {
    "CrossValidator": "write the values that it finds as variants of model.yaml",
    "TrainValidationSplit": "write the values that it finds as variants of model.yaml",
    "IndexToString": "leave it out, the names of the labels are kept with the model",
    "LinearSVC": "it gives no probability; LogisticRegression does",
    "OneVsRest": "it gives no probability; LogisticRegression tells several labels apart by itself",
    "RFormula": "write the StringIndexer, OneHotEncoder and VectorAssembler that it stands for",
    "SQLTransformer": "its SQL can call any code; make such columns in data.py",
}


@dataclass(frozen=True)
class Rows:
    """What a plan is fitted on: its inputs, those of them that lack a number in some row, and the target.

    `labels` is how many the target has, None while nobody has read the rows or where it is a number.
    """

    inputs: Sequence[str]
    target: str
    task: Task
    missing: frozenset[str] = frozenset()
    labels: int | None = None


@dataclass(frozen=True)
class Step:
    """A stage with the parameters that are to be set on it before the fit."""

    stage: Any
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return type(self.stage).__name__

    def value(self, parameter: str) -> Any:
        """None where the stage has no such parameter, or no value for it."""
        if parameter in self.changes:
            return self.changes[parameter]
        known = self.stage.hasParam(parameter) and self.stage.isDefined(parameter)
        return self.stage.getOrDefault(parameter) if known else None

    def columns(self, side: str) -> list[str]:
        """`side` is `input` or `output`; a predictor reads its features, and a selector as well."""
        several = self.value(f"{side}Cols")
        one = self.value(f"{side}Col") or (self.value("featuresCol") if side == "input" else None)
        return list(several) if several else [one] if one else []


def read_plan(made: Any, rows: Rows) -> list[Step]:
    """The steps in order, the last one predicts. `made` is what the function of `build` has returned.

    Raises Refused, in one sentence, for what cannot be fitted, answered by or saved.
    """
    stages = list(_flat(made))
    *features, last = [Step(stage) for stage in stages]
    _refuse_strangers(features, last, rows)
    return _Reader(rows).read(features, last)


def batch_only(steps: Sequence[Step]) -> list[str]:
    """The names of the steps that have no form in ONNX."""
    known = {**FEATURES, **CLASSIFIERS, **REGRESSORS}
    return [step.name for step in steps if known[step.name] not in ONLINE]


def _flat(made: Any) -> Iterator[Any]:
    """A pipeline within a pipeline is the same as its stages."""
    if type(made).__name__ != "Pipeline" or not (stages := made.getStages()):
        raise Refused(f"{EXPECTED}, found {_described(made)}")
    for stage in stages:
        yield from _flat(stage) if type(stage).__name__ == "Pipeline" else (stage,)


def _described(made: Any) -> str:
    name = type(made).__name__
    if name == "Pipeline":
        return "one without stages"
    if name == "PipelineModel":
        return "one that was fitted before: return the Pipeline itself"
    if name in {**CLASSIFIERS, **REGRESSORS}:
        return f"{name}: write Pipeline(stages=[…, {name}(…)]), with the stages before it that make its features"
    return f"{name}: {_INSTEAD[name]}" if name in _INSTEAD else repr(made)


def _refuse_strangers(features: Sequence[Step], last: Step, rows: Rows) -> None:
    for step in features:
        if step.name not in FEATURES or not _of_spark(step.stage):
            raise Refused(f"expected stages that make features before the last one, {_found(step, FEATURES)}")
    fitting = REGRESSORS if rows.task == "regression" else CLASSIFIERS
    if last.name not in fitting or not _of_spark(last.stage):
        raise Refused(f"expected a last stage for a task of {rows.task}, {_found(last, fitting)}")
    if last.name in OF_TWO_LABELS and rows.labels and rows.labels > 2:
        raise Refused(
            f"{last.name}: expected two labels, found {rows.labels} in '{rows.target}': RandomForestClassifier and "
            "LogisticRegression tell several apart"
        )


def _of_spark(stage: Any) -> bool:
    return type(stage).__module__.startswith("pyspark.ml.")


def _found(step: Step, known: dict[str, str]) -> str:
    return f"found {step.name}: {_INSTEAD.get(step.name) or 'write one of ' + ', '.join(known)}"


@dataclass
class _Reader:
    """Follows the columns from stage to stage: `columns` are those that there are, `missing` those that may lack a
    number, `of_target` the target and what a StringIndexer was to make of it, `indexed` what others have made."""

    rows: Rows

    def __post_init__(self) -> None:
        self.columns, self.missing = set(self.rows.inputs), set(self.rows.missing)
        self.of_target, self.indexed = {self.rows.target}, set[str]()

    def read(self, features: Sequence[Step], last: Step) -> list[Step]:
        steps = [step for feature in features if (step := self._feature(feature))]
        return [*steps, self._last(last)]

    def _feature(self, step: Step) -> Step | None:
        """None for what is left out: the labels are indexed for every plan alike."""
        if step.name == "StringIndexer" and (rest := self._without_target(step)) is not step:
            return self._feature(rest) if rest else None
        step = self._filled_in(step)
        self._refuse_unknown(step)
        self._refuse_invalid(step)
        outputs = step.columns("output")
        self.columns |= set(outputs)
        if step.name not in _FILLS and self.missing.intersection(step.columns("input")):
            self.missing |= set(outputs)
        if step.name in ("StringIndexer", "Bucketizer", "QuantileDiscretizer"):
            self.indexed |= set(outputs)
        return step

    def _without_target(self, step: Step) -> Step | None:
        pairs = list(zip(step.columns("input"), step.columns("output"), strict=True))
        others = [pair for pair in pairs if pair[0] != self.rows.target]
        if len(others) == len(pairs):
            return step
        self.of_target |= {output for column, output in pairs if column == self.rows.target}
        columns = {"inputCols": [one for one, _ in others], "outputCols": [one for _, one in others]}
        return Step(step.stage, columns) if others else None

    def _last(self, step: Step) -> Step:
        step = self._filled_in(step)
        self._refuse_unknown(step)
        if not step.name.startswith(_TAKES_MISSING) and self.missing.intersection(step.columns("input")):
            raise Refused(
                f"{step.name}: expected a number in every row of {_quoted(self.rows.missing)}, found some without: "
                "put an Imputer before it"
            )
        number = LABEL_NUMBER if self.rows.task == "classification" else PREDICTION
        answers = {"predictionCol": number, "probabilityCol": PROBABILITY}
        return Step(step.stage, {**step.changes, **_known_to(step.stage, answers)})

    def _filled_in(self, step: Step) -> Step:
        """A seed that is not set would be another one in each process."""
        seed = {"seed": 0} if step.stage.hasParam("seed") and not step.stage.isSet("seed") else {}
        label = {"labelCol": self._label(step)} if step.stage.hasParam("labelCol") else {}
        return Step(step.stage, {**step.changes, **seed, **label})

    def _label(self, step: Step) -> str:
        named = step.value("labelCol") if step.stage.isSet("labelCol") else self.rows.target
        if named not in self.of_target:
            raise Refused(f"{step.name}: expected labelCol='{self.rows.target}', the target, found '{named}'")
        return self.rows.target

    def _refuse_unknown(self, step: Step) -> None:
        for column in step.columns("input"):
            if column in self.of_target:
                raise Refused(f"{step.name}: expected features, found '{column}', which is the target itself")
            if column not in self.columns:
                raise Refused(
                    f"{step.name}: expected an input of model.yaml or what an earlier stage makes, found '{column}': "
                    f"there are {', '.join(sorted(self.columns))}"
                )

    def _refuse_invalid(self, step: Step) -> None:
        how = step.value("handleInvalid")
        if how == "skip":
            raise Refused(f"{step.name}: expected an answer for each row, found handleInvalid='skip': write 'keep'")
        unseen = [column for column in step.columns("input") if column not in self.indexed]
        if how == "error" and step.name in _KNOWS_VALUES and unseen:
            raise Refused(
                f"{step.name}: expected handleInvalid='keep', found 'error', with which no row is answered whose "
                f"{_quoted(unseen)} has a value that the training rows do not have"
            )
        lacking = self.missing.intersection(step.columns("input"))
        if how == "error" and lacking:
            raise Refused(
                f"{step.name}: expected a number in every row of {_quoted(lacking)}, found some without: put an "
                "Imputer before it, or write handleInvalid='keep' where the last stage takes missing numbers"
            )


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f"'{column}'" for column in sorted(columns))


def _known_to(stage: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if stage.hasParam(name)}
