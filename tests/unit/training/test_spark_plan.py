"""A Spark pipeline before its fit, with stages that only have names, columns and options."""

from typing import Any

import pytest

from services.contract.errors import Refused
from services.contract.spark import CLASSIFIERS, FEATURES, REGRESSORS
from services.contract.task import Task
from training.spark_plan import Rows, Step, batch_only, read_plan

INPUTS = ("island", "bill", "mass")
DEFAULTS: dict[str, dict[str, Any]] = {
    "StringIndexer": {"handleInvalid": "error"},
    "OneHotEncoder": {"handleInvalid": "error"},
    "VectorAssembler": {"handleInvalid": "error"},
    "VectorIndexer": {"handleInvalid": "error"},
}
PREDICTOR = {"labelCol": "label", "featuresCol": "features", "predictionCol": "prediction"}


class Made:
    """As pyspark's stages have it: a default beside what was set."""

    def __init__(self, **given: Any) -> None:
        name = type(self).__name__
        self.given = given
        self.usual = dict(DEFAULTS.get(name, {}))
        if name in {**CLASSIFIERS, **REGRESSORS, "LinearSVC": ""}:
            self.usual |= PREDICTOR | ({"probabilityCol": "probability"} if name in CLASSIFIERS else {})
        if "Forest" in name:
            self.usual["seed"] = 1234567

    def hasParam(self, name: str) -> bool:  # noqa: N802  pyspark's name
        return name in {**self.usual, **self.given}

    isDefined = hasParam  # noqa: N815

    def isSet(self, name: str) -> bool:  # noqa: N802
        return name in self.given

    def getOrDefault(self, name: str) -> Any:  # noqa: N802
        return {**self.usual, **self.given}[name]

    def getStages(self) -> list[Any]:  # noqa: N802
        return list(self.given["stages"])


def stage(kind: str, module: str = "pyspark.ml.feature", **given: Any) -> Any:
    return type(kind, (Made,), {"__module__": module})(**given)


def pipeline(*stages: Any) -> Any:
    return stage("Pipeline", stages=stages)


def assembler(*columns: str, **given: Any) -> Any:
    return stage("VectorAssembler", inputCols=list(columns), outputCol="features", **given)


def rows(task: Task = "classification", **known: Any) -> Rows:
    return Rows(INPUTS, "species", task, **known)


def steps(*stages: Any, **known: Any) -> list[Step]:
    return read_plan(pipeline(*stages), rows(**known))


def refusal(made: Any, **known: Any) -> str:
    with pytest.raises(Refused) as refused:
        read_plan(made, rows(**known))
    assert "\n" not in str(refused.value)
    return str(refused.value)


LOGISTIC = "LogisticRegression"


def test_a_predictor_that_names_no_label_reads_the_target() -> None:
    *_, last = steps(assembler("bill"), stage(LOGISTIC))
    assert last.changes == {
        "labelCol": "species",
        "predictionCol": "prediction_index",
        "probabilityCol": "probability",
    }


def test_labels_that_the_plan_indexes_by_itself_are_indexed_as_all_others_are() -> None:
    indexer = stage("StringIndexer", inputCol="species", outputCol="label")
    of_two = stage(
        "StringIndexer", inputCols=["island", "species"], outputCols=["place", "label"], handleInvalid="keep"
    )
    assert [step.name for step in steps(indexer, assembler("bill"), stage(LOGISTIC, labelCol="label"))] == [
        "VectorAssembler",
        LOGISTIC,
    ]
    first, *_ = steps(of_two, assembler("place"), stage(LOGISTIC))
    assert first.changes == {"inputCols": ["island"], "outputCols": ["place"]}


def test_a_seed_that_is_not_set_is_the_same_in_each_process() -> None:
    *_, unset = steps(assembler("bill"), stage("RandomForestClassifier"))
    *_, chosen = steps(assembler("bill"), stage("RandomForestClassifier", seed=7))
    assert (unset.value("seed"), chosen.value("seed")) == (0, 7)


def test_a_pipeline_within_a_pipeline_is_its_stages() -> None:
    found = steps(pipeline(assembler("bill")), stage(LOGISTIC))
    assert [step.name for step in found] == ["VectorAssembler", LOGISTIC]


def test_an_encoder_of_what_an_indexer_has_numbered_need_not_keep_what_is_unknown() -> None:
    indexer = stage("StringIndexer", inputCol="island", outputCol="place", handleInvalid="keep")
    encoder = stage("OneHotEncoder", inputCol="place", outputCol="flag")
    assert len(steps(indexer, encoder, assembler("flag"), stage(LOGISTIC))) == 4


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (None, "expected `build` to return a function that returns an unfitted Pipeline, found None"),
        (pipeline(), "found one without stages"),
        (stage(LOGISTIC), f"found {LOGISTIC}: write Pipeline(stages=[…, {LOGISTIC}(…)]), with the stages before it"),
        (stage("PipelineModel"), "found one that was fitted before: return the Pipeline itself"),
        (stage("CrossValidator"), "found CrossValidator: write the values that it finds as variants of model.yaml"),
    ],
)
def test_what_is_no_pipeline_is_refused_with_what_to_return(made: Any, reason: str) -> None:
    assert reason in refusal(made)


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        ([stage("SQLTransformer"), stage(LOGISTIC)], "found SQLTransformer: its SQL can call any code"),
        ([stage("RFormula"), stage(LOGISTIC)], "found RFormula: write the StringIndexer, OneHotEncoder and"),
        (
            [stage("Own", "train"), stage(LOGISTIC)],
            "before the last one, found Own: write one of Binarizer, Bucketizer",
        ),
        ([stage("Tokenizer", "train"), stage(LOGISTIC)], "found Tokenizer: write one of"),
        (
            [assembler("bill")],
            "a last stage for a task of classification, found VectorAssembler: write one of Decision",
        ),
        ([assembler("bill"), stage("LinearSVC")], "found LinearSVC: it gives no probability; LogisticRegression does"),
        ([assembler("bill"), stage("LinearRegression")], "for a task of classification, found LinearRegression"),
        ([assembler("bill"), stage("IndexToString")], "found IndexToString: leave it out, the names of the labels are"),
        ([assembler("bill"), stage(LOGISTIC, labelCol="late")], f"{LOGISTIC}: expected labelCol='species', the target"),
        ([assembler("species"), stage(LOGISTIC)], "VectorAssembler: expected features, found 'species', which is the"),
        ([assembler("wing"), stage(LOGISTIC)], "found 'wing': there are bill, island, mass"),
        ([assembler("bill"), stage(LOGISTIC, featuresCol="x")], "found 'x': there are bill, features, island, mass"),
        ([assembler("bill", handleInvalid="skip"), stage(LOGISTIC)], "found handleInvalid='skip': write 'keep'"),
        (
            [stage("StringIndexer", inputCol="island", outputCol="place"), assembler("place"), stage(LOGISTIC)],
            "StringIndexer: expected handleInvalid='keep', found 'error', with which no row is answered whose 'island' "
            "has a value that the training rows do not have",
        ),
        (
            [stage("OneHotEncoder", inputCols=["mass"], outputCols=["flag"]), assembler("flag"), stage(LOGISTIC)],
            "OneHotEncoder: expected handleInvalid='keep', found 'error', with which no row is answered whose 'mass'",
        ),
        (
            [assembler("mass"), stage("VectorIndexer", inputCol="features", outputCol="x"), stage(LOGISTIC)],
            "VectorIndexer: expected handleInvalid='keep', found 'error'",
        ),
    ],
)
def test_a_stage_that_would_fail_later_is_named_before_the_fit(stages: list[Any], reason: str) -> None:
    assert reason in refusal(pipeline(*stages))


def test_a_classifier_is_no_regression() -> None:
    made = pipeline(assembler("bill"), stage(LOGISTIC))
    assert f"for a task of regression, found {LOGISTIC}: write one of DecisionTreeRegressor" in refusal(
        made, task="regression"
    )


def test_boosted_trees_of_three_labels_are_refused_when_the_labels_are_known() -> None:
    made = pipeline(assembler("bill"), stage("GBTClassifier"))
    assert len(read_plan(made, rows(labels=2))) == 2
    assert "GBTClassifier: expected two labels, found 3 in 'species': RandomForest" in refusal(made, labels=3)


def test_missing_numbers_are_filled_or_the_column_is_named() -> None:
    missing = frozenset({"bill"})
    assert "VectorAssembler: expected a number in every row of 'bill', found some without: put an Imputer" in refusal(
        pipeline(assembler("bill", "mass"), stage(LOGISTIC)), missing=missing
    )
    kept = pipeline(assembler("bill", handleInvalid="keep"), stage(LOGISTIC))
    assert f"{LOGISTIC}: expected a number in every row of 'bill'" in refusal(kept, missing=missing)
    trees = [assembler("bill", handleInvalid="keep"), stage("RandomForestClassifier")]
    imputer = stage("Imputer", inputCols=["bill"], outputCols=["filled"])
    for stages in (trees, [imputer, assembler("filled"), stage(LOGISTIC)]):
        assert steps(*stages, missing=missing)


def test_a_missing_word_has_a_number_of_its_own_where_words_are_numbered() -> None:
    indexer = stage("StringIndexer", inputCol="island", outputCol="number", handleInvalid="keep")
    assert steps(indexer, assembler("number"), stage(LOGISTIC), missing=frozenset({"island"}))


def test_steps_without_a_form_in_onnx_are_known_by_name() -> None:
    tokenizer = stage("Tokenizer", inputCol="island", outputCol="words")
    hashed = stage("HashingTF", inputCol="words", outputCol="features")
    assert batch_only(steps(tokenizer, hashed, stage("FMClassifier"))) == ["Tokenizer", "HashingTF", "FMClassifier"]
    assert batch_only(steps(assembler("bill"), stage(LOGISTIC))) == []


def test_no_stage_that_runs_code_is_among_those_that_are_taken() -> None:
    assert not {"SQLTransformer", "RFormula", "Pipeline"} & FEATURES.keys()
