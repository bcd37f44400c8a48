"""Every type of column, with gaps, from a file to an answer: training, gates, graph and service give a model the same.

Spark's part is in tests/integration/test_spark_flavors.py, because it takes a JVM.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from services.contract.errors import Refused
from services.contract.estimator import ask_estimator, load_estimator
from services.contract.model_config import ModelConfig
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Column
from services.contract.typed_rows import frame
from services.delivery.flavors import fasttext as fasttext_gates
from services.delivery.flavors import sklearn as sklearn_gates
from services.delivery.scoring.holdout import Holdout, read_holdout
from services.prediction.invocations import read_invocation
from services.prediction.runtimes import fasttext as fasttext_service
from services.prediction.runtimes import onnx as onnx_service
from services.prediction.runtimes import sklearn as sklearn_service
from training.dataset import Dataset, read_csv, split
from training.flavors import fasttext as fasttext_training
from training.flavors import sklearn as sklearn_training

KINDS = {"zip": "string", "n": "long", "ok": "boolean", "x": "double"}
# An empty text is missing: a file has no other way to say so.
ABSENT: list[dict[str, Any]] = [{}, dict.fromkeys(KINDS), {"zip": "", "n": None}]


@dataclass(frozen=True)
class Table:
    """Rows of a file, as training and as the gates have them."""

    config: ModelConfig
    dataset: Dataset
    holdout: Holdout

    @property
    def inputs(self) -> tuple[Column, ...]:
        return self.config.inputs

    def asked(self, records: Sequence[dict[str, Any]]) -> list[list[Any]]:
        """The rows of a request."""
        body = json.dumps({"dataframe_records": records}).encode()
        return [list(row) for row in read_invocation(body, self.inputs, 1000).rows]


def config(columns: dict[str, str], task: str = "regression", optional: bool = True) -> ModelConfig:
    metric = "accuracy_score" if task == "classification" else "mean_absolute_error"
    data = {
        "source": "", "target": "y", "columns": columns, "optional": list(columns) if optional else [],
        "holdout_sha256": None,
    }  # fmt: skip
    gates = {"thresholds": {metric: {"min": 0}}, "latency_p99_ms": 1, "compare": {"metric": metric}}
    return ModelConfig.model_validate(
        {"name": "toy", "description": "", "library": "any", "task": task, "data": data, "gates": gates,
         "variants": {"only": {}}}
    )  # fmt: skip


def table(folder: Path, toy: ModelConfig, lines: Sequence[str]) -> Table:
    file = folder / "rows.csv"
    file.write_text("\n".join([",".join([*toy.data.columns, "y"]), *lines]) + "\n")
    dataset = split(read_csv(file, toy.data, toy.task), toy.data, toy.task, "rows.csv")
    file.write_bytes(dataset.holdout.csv)
    return Table(toy, dataset, read_holdout(file, toy))


@pytest.fixture
def gaps(tmp_path: Path) -> Table:
    """Each cell of a row in five is missing, in turn."""
    cells = [(f"0{1000 + n % 3}", str(n % 7), str(n % 2 == 0), str(n / 4)) for n in range(200)]
    lines = [
        ",".join([*("" if n % 5 == place else cell for place, cell in enumerate(row)), str(n % 3 + n % 7)])
        for n, row in enumerate(cells)
    ]
    return table(tmp_path, config(KINDS), lines)


def pipeline(zips: Any) -> Pipeline:
    columns = make_column_transformer((zips, [0]), ("passthrough", [1, 2, 3]))
    return make_pipeline(FunctionTransformer(numpy.asarray), columns, HistGradientBoostingRegressor(max_iter=3))


def encoder() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def saved(model: Any, folder: Path) -> Path:
    skops.io.dump(model, folder / "model.skops")
    return folder / "model.skops"


def test_scikit_learn_is_asked_with_the_gaps_that_it_was_trained_with(gaps: Table, tmp_path: Path) -> None:
    part = gaps.dataset.training
    model = sklearn_training.fit(pipeline(encoder()), part.inputs, part.target, None)
    expected = sklearn_training.predict(model, gaps.dataset.holdout.inputs)
    gates = sklearn_gates.predict(sklearn_gates.load(saved(model, tmp_path).parent), gaps.holdout.rows, gaps.inputs)
    service = sklearn_service.load(tmp_path / "model.skops", gaps.inputs)
    assert gates == service.predict(gaps.holdout.rows) == list(expected)
    assert service.predict(gaps.holdout.edges) == sklearn_gates.predict(model, gaps.holdout.edges, gaps.inputs)
    nothing = pandas.DataFrame({name: [math.nan] for name in KINDS}).astype({"zip": object})
    assert service.predict(gaps.asked(ABSENT)) == list(sklearn_training.predict(model, nothing)) * len(ABSENT)


def test_an_imputer_fills_a_missing_text_as_scikit_learns_users_write_it(gaps: Table) -> None:
    part = gaps.dataset.training
    plan = pipeline(make_pipeline(SimpleImputer(strategy="most_frequent"), encoder()))
    model = sklearn_training.fit(plan, part.inputs, part.target, None)
    most = str(part.inputs["zip"].mode()[0])
    filled, absent = sklearn_gates.predict(model, gaps.asked([{"zip": most}, {}]), gaps.inputs)
    assert filled == absent


IMPUTERS = {
    "the most frequent": SimpleImputer(strategy="most_frequent"),
    "a constant": SimpleImputer(strategy="constant", fill_value="none"),
    "with an indicator": SimpleImputer(strategy="most_frequent", add_indicator=True),
}


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("imputer", IMPUTERS)
def test_a_graph_fills_missing_texts_as_scikit_learn_does(imputer: str, optional: bool, tmp_path: Path) -> None:
    lines = [f"{('0' + str(1000 + n % 3)) if n % 5 or not optional else ''},{n % 7},{n % 3}" for n in range(200)]
    rows = table(tmp_path, config({"zip": "string", "x": "double"}, optional=optional), lines)
    columns = make_column_transformer((make_pipeline(IMPUTERS[imputer], encoder()), ["zip"]), ("passthrough", ["x"]))
    plan = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=3))
    model = sklearn_training.fit(plan, rows.dataset.training.inputs, rows.dataset.training.target, None)
    (tmp_path / "model.onnx").write_bytes(sklearn_gates.to_onnx(model, tmp_path, rows.inputs))
    graph = onnx_service.load(tmp_path / "model.onnx", rows.inputs)
    gaps: list[dict[str, Any]] = [{"x": 1}, {"zip": None, "x": 1}] if optional else []
    asked = [*rows.holdout.rows, *rows.asked([{"zip": "", "x": 1}, {"zip": "09", "x": 1}, *gaps])]
    assert graph.predict(asked) == pytest.approx(sklearn_gates.predict(model, asked, rows.inputs), rel=1e-12)


def test_a_graph_answers_gaps_in_numbers_as_scikit_learn_does(tmp_path: Path) -> None:
    kinds = {name: kind for name, kind in KINDS.items() if kind != "string"}
    lines = [
        f"{n % 7 if n % 5 else ''},{n % 2 == 0 if n % 3 else ''},{n / 4 if n % 4 else ''},{n % 5}" for n in range(200)
    ]
    rows = table(tmp_path, config(kinds), lines)
    plan = make_pipeline(FunctionTransformer(numpy.asarray), HistGradientBoostingRegressor(max_iter=3))
    model = sklearn_training.fit(plan, rows.dataset.training.inputs, rows.dataset.training.target, None)
    (tmp_path / "model.onnx").write_bytes(sklearn_gates.to_onnx(model, tmp_path, rows.inputs))
    graph = onnx_service.load(tmp_path / "model.onnx", rows.inputs)
    asked = [*rows.holdout.rows, *rows.asked([{}])]
    assert graph.predict(asked) == pytest.approx(sklearn_gates.predict(model, asked, rows.inputs), rel=1e-12)


@pytest.mark.parametrize(
    "steps",
    [
        (OneHotEncoder(handle_unknown="ignore"),),
        (SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
        (SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),),
        (TargetEncoder(),),
    ],
    ids=["one-hot", "most frequent", "constant", "ordinal", "target"],
)
def test_a_graph_tells_a_missing_text_from_others_as_scikit_learn_does(
    gaps: Table, tmp_path: Path, steps: tuple[Any, ...]
) -> None:
    part = gaps.dataset.training
    plan = make_pipeline(make_column_transformer((make_pipeline(*steps), ["zip"])), Ridge())
    model = sklearn_training.fit(plan, part.inputs, part.target, None)
    (tmp_path / "model.onnx").write_bytes(sklearn_gates.to_onnx(model, tmp_path, gaps.inputs))
    graph = onnx_service.load(tmp_path / "model.onnx", gaps.inputs)
    asked = [*gaps.holdout.rows, *gaps.asked([*ABSENT, {"zip": "never seen"}])]
    answers = graph.predict(asked)
    assert answers == pytest.approx(sklearn_gates.predict(model, asked, gaps.inputs), rel=1e-12)
    assert len({round(answer, 9) for answer in answers if isinstance(answer, float)}) > 2


DAYS = {"day": "date", "at": "datetime", "x": "double"}


def days(folder: Path) -> Table:
    lines = [f"2013-12-{1 + n % 5:02},2013-12-27T{n % 6:02}:30:00+01:00,{n},{n % 5}" for n in range(100)]
    return table(folder, config(DAYS, optional=False), lines)


def test_scikit_learn_is_given_dates_and_datetimes_as_such_and_served_by_itself(tmp_path: Path) -> None:
    rows = days(tmp_path)
    part = rows.dataset.training
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["day"]), (StandardScaler(), ["at"]))
    model = sklearn_training.fit(make_pipeline(columns, Ridge()), part.inputs, part.target, None)
    expected = list(model.predict(rows.dataset.holdout.inputs))
    loaded = load_estimator(saved(model, tmp_path))
    assert ask_estimator(loaded, frame(rows.holdout.rows, rows.inputs)) == pytest.approx(expected, rel=1e-12)
    record = {"day": "2013-12-03", "at": "2013-12-27T02:30:00", "x": 1}
    (answer,) = ask_estimator(loaded, frame(rows.asked([record]), rows.inputs))
    assert answer == pytest.approx(model.predict(pandas.DataFrame({"day": [pandas.Timestamp("2013-12-03")],
        "at": [pandas.Timestamp("2013-12-27 02:30")], "x": [1.0]}))[0], rel=1e-12)  # fmt: skip
    with pytest.raises(
        Refused, match="day is a date or datetime, which scikit-learn knows as such and a graph does not"
    ):
        sklearn_gates.to_onnx(model, tmp_path, rows.inputs)


def test_an_encoder_tells_a_missing_text_from_one_that_it_never_saw(gaps: Table) -> None:
    part = gaps.dataset.training
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    model = sklearn_training.fit(pipeline(codes), part.inputs, part.target, None)
    encoded = model[:-1].transform(frame(gaps.asked([{}, {"zip": "never seen"}, {"zip": "01000"}]), gaps.inputs))
    assert encoded[:, 0].tolist() == [-2, -1, 0]


@pytest.mark.process
def test_a_missing_text_is_an_empty_one_for_fasttext_from_file_to_answer(tmp_path: Path) -> None:
    words = {"en": "hello big world", "fr": "bonjour le monde", "none": ""}
    lines = [f"{text} {n if text else ''},{label}" for n in range(60) for label, text in words.items()]
    rows = table(tmp_path, config({"text": "string"}, "classification"), [line.removeprefix(" ") for line in lines])
    plan = {"dim": 8, "bucket": 500, "epoch": 20, "lr": 1.0}
    part = rows.dataset.training
    assert part.inputs["text"].isna().sum() == (part.target == "none").sum() > 20
    model = fasttext_training.fit(plan, part.inputs, part.target, None)
    expected = list(fasttext_training.predict(model, rows.dataset.holdout.inputs))
    assert fasttext_gates.predict(model, rows.holdout.rows, rows.inputs) == expected
    file = tmp_path / "model.bin"
    model.save_model(str(file))
    absent: list[Prediction] = fasttext_service.load(file, rows.inputs).predict(rows.asked([{}, {"text": None}]))
    assert [answer.label for answer in absent if isinstance(answer, Labelled)] == ["none", "none"]


@pytest.mark.parametrize("kind", ["date", "long", "double"])
def test_fasttext_refuses_a_column_that_is_no_text_before_it_learns_numbers_as_words(kind: str, tmp_path: Path) -> None:
    lines = [f"{f'2013-12-{1 + n % 28:02}' if kind == 'date' else n},{'ab'[n % 2]}" for n in range(80)]
    part = table(tmp_path, config({"x": kind}, "classification", optional=False), lines).dataset.training
    with pytest.raises(
        Refused, match="expected one column of type string, found 'x' of another: fastText reads one text"
    ):
        fasttext_training.fit({}, part.inputs, part.target, None)
