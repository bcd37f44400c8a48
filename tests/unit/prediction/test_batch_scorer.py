"""A batch is answered as the online service answers its rows, and refused in the same words."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import fasttext
import numpy
import onnx
import pyarrow
import pytest
from onnx import TensorProto, helper

from services.contract.asking import predict_each
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.record import Cell
from services.contract.release import Column, Form, Release
from services.contract.task import Task
from services.prediction.batch import csv_cells, typed_cells
from services.prediction.batch.cells import Cells
from services.prediction.batch.scorer import BatchScorer, reason_of
from services.prediction.bodies.csv_body import read_csv
from services.prediction.invalid import Invalid
from services.prediction.predictor import Predictor
from services.prediction.runtimes import Model
from services.prediction.runtimes import fasttext as fasttext_runtime
from services.prediction.runtimes import onnx as onnx_runtime
from tests.support.release_factory import build_release

FORM = Form(runtime="onnx", file="model.onnx", tolerance=1e-9)
NUMBER, WORD = Column(name="x", type="double"), Column(name="word", type="string")
MOST = 100_000


class Echo:
    """Answers the sum of what it is given as numbers, row by row; refuses 13, and has no finite answer to 1e308."""

    def __init__(self) -> None:
        self.rows: list[Sequence[Cell]] = []

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        self.rows += rows
        if any(13 in row for row in rows):
            raise ValueError("unlucky")
        return [sum(cell * 10.0 for cell in row if isinstance(cell, float)) for row in rows]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_release(tmp_path_factory.mktemp("store"))


def predictor(release: Release, model: Model, inputs: Sequence[Column], task: Task = "regression") -> Predictor:
    manifest = release.manifest.model_copy(update={"inputs": tuple(inputs), "task": task})
    return Predictor(Release(digest=release.digest, manifest=manifest), FORM, model)


def batch(**columns: Any) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_pydict(columns)


def scored(scorer: BatchScorer, rows: pyarrow.RecordBatch) -> tuple[pyarrow.RecordBatch, pyarrow.RecordBatch]:
    scorer.check_schema(rows.schema)
    answered, refused = scorer.score(rows)
    assert answered.schema.equals(scorer.scored_schema(rows.schema))
    assert refused.schema.equals(scorer.rejected_schema(rows.schema))
    assert len(answered) + len(refused) == len(rows)
    return answered, refused


def reasons(refused: pyarrow.RecordBatch) -> list[str]:
    return list(refused.column("reason").to_pylist())


def online(asked: Predictor, row: Sequence[Any]) -> Any:
    """The answer, or the words of the refusal."""
    try:
        return asked.ask([row])[0]
    except Invalid as refusal:
        return reason_of(refusal)


def online_each(asked: Predictor, rows: pyarrow.RecordBatch) -> tuple[list[Prediction], list[str]]:
    """The answers in requests of a hundred rows, and the words of the refusals."""
    words: list[str] = []
    asks = [list(zip(*rows.slice(at, 100).to_pydict().values(), strict=True)) for at in range(0, len(rows), 100)]
    answers = [
        predict_each(asked.ask, one, Invalid, lambda _, error: words.append(reason_of(cast(Invalid, error))))
        for one in asks
    ]
    return [answer for each in answers for answer in each if answer is not None], words


def test_every_row_names_its_model_and_keeps_the_columns_that_were_asked_for(release: Release) -> None:
    scorer = BatchScorer(predictor(release, Echo(), [NUMBER]), keep=["id"])
    found, refused = scored(scorer, batch(id=["a", "b", "c"], x=[0.5, None, 2.0], other=[1, 2, 3]))
    identity = {"model": "diamond-price", "revision": "1-aaaaaaaa", "release": release.digest}
    assert found.to_pylist() == [
        {"id": "a", "prediction": 5.0, **identity},
        {"id": "c", "prediction": 20.0, **identity},
    ]
    assert refused.to_pylist() == [
        {"id": "b", "x": None, "other": 2, "reason": "column 'x': expected a number, found null"}
    ]


NAN, HUGE = math.nan, 2**53 + 1
DOUBLES = [0.1, -0.0, None, NAN, math.inf, 1e308]
DIGITS = "0." + "1" * 37 + "7"
# What a column of Arrow holds, and what a body of JSON has in the place of its cells.
TYPED: dict[str, tuple[pyarrow.Array, list[Any], str]] = {
    "doubles": (pyarrow.array(DOUBLES), DOUBLES, "double"),
    "single precision": (pyarrow.array([0.1, None], "float32"), [float(numpy.float32(0.1)), None], "double"),
    "half precision": (pyarrow.array([0.5, None], "float16"), [0.5, None], "double"),
    "whole numbers as doubles": (pyarrow.array([3, None, HUGE]), [3, None, HUGE], "double"),
    "large whole numbers as doubles": (pyarrow.array([2**64 - 1], "uint64"), [2**64 - 1], "double"),
    "decimals": (pyarrow.array([Decimal("0.10"), None, Decimal("123456789.12")]), [0.1, None, 123456789.12], "double"),
    "a decimal of many digits": (pyarrow.array([Decimal(DIGITS)]), [float(DIGITS)], "double"),
    "numbers in a dictionary": (pyarrow.array([0.1, None, 0.1]).dictionary_encode(), [0.1, None, 0.1], "double"),
    "nothing but null": (pyarrow.nulls(2), [None, None], "double"),
    "longs": (pyarrow.array([1, None, -HUGE]), [1, None, -HUGE], "long"),
    "short whole numbers": (pyarrow.array([1, 255], "uint8"), [1, 255], "long"),
    "whole numbers beyond 64 bits": (pyarrow.array([2**63 - 1, 2**63], "uint64"), [2**63 - 1, 2**63], "long"),
    "doubles as longs": (
        pyarrow.array([3.0, 3.5, -0.0, NAN, -math.inf, 2.0**63, -(2.0**63), 1e18, None]),
        [3.0, 3.5, -0.0, NAN, -math.inf, 2.0**63, -(2.0**63), 1e18, None],
        "long",
    ),
    "decimals as longs": (pyarrow.array([Decimal(HUGE), None, Decimal(4)]), [HUGE, None, 4], "long"),
    "decimals with digits as longs": (pyarrow.array([Decimal("4.0"), Decimal("4.5")]), [4.0, 4.5], "long"),
    "texts": (pyarrow.array(["a", "größer", "", "x\0", None]), ["a", "größer", "", "x\0", None], "string"),
    "large texts": (pyarrow.array(["a", "", None], "large_string"), ["a", "", None], "string"),
    "texts in a dictionary": (pyarrow.array(["a", "", None, "a"]).dictionary_encode(), ["a", "", None, "a"], "string"),
    "booleans": (pyarrow.array([True, False, None]), [True, False, None], "boolean"),
    "days": (pyarrow.array([date(2013, 12, 27), None, date(1500, 1, 1)]), ["2013-12-27", None, "1500-01-01"], "date"),
    "days of 64 bits": (pyarrow.array([date(2013, 12, 27)], "date64"), ["2013-12-27"], "date"),
    "days as moments": (pyarrow.array([date(2013, 12, 27)]), ["2013-12-27"], "datetime"),
    "timestamps without a zone": (
        pyarrow.array([datetime(2013, 12, 27, 19, 0, 0, 250, UTC), None], "timestamp[us]"),
        ["2013-12-27T19:00:00.000250", None],
        "datetime",
    ),
    "timestamps with a zone": (
        pyarrow.array([datetime(2013, 12, 27, 19, tzinfo=UTC)], pyarrow.timestamp("ms", "America/New_York")),
        ["2013-12-27T19:00:00Z"],
        "datetime",
    ),
    "nanoseconds": (
        pyarrow.array([1_388_170_800_000_000_001, 1_388_170_800_000_001_000], "timestamp[ns]"),
        ["2013-12-27T19:00:00.000000001", "2013-12-27T19:00:00.000001"],
        "datetime",
    ),
    "far away": (
        pyarrow.array([2**61, -(2**61), 9223372036], "timestamp[s]"),
        ["x", "x", "2262-04-11T23:47:16"],
        "datetime",
    ),
    "a time of day": (
        pyarrow.array([datetime(2013, 12, 27, tzinfo=UTC), datetime(2013, 12, 27, 19, tzinfo=UTC)], "timestamp[s]"),
        ["2013-12-27", "2013-12-27T19:00:00"],
        "date",
    ),
    "texts of moments": (
        pyarrow.array(["2013-12-27T19:00:00+02:00", "2013-12-27", "", "2013-13-27", None, "2013-12-27"]),
        ["2013-12-27T19:00:00+02:00", "2013-12-27", "", "2013-13-27", None, "2013-12-27"],
        "datetime",
    ),
}  # fmt: skip


class Told(Echo):
    """Answers 1, whatever it is given."""

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        self.rows += rows
        return [1.0] * len(rows)


def given(model: Echo) -> list[str]:
    """The only cells of its rows, in any order; tells NaN, -0.0 and the types apart."""
    return sorted(f"{type(cell).__name__} {cell!r}" for (cell,) in model.rows)


@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
@pytest.mark.parametrize("case", TYPED)
def test_a_typed_cell_is_taken_and_refused_as_json_in_its_place(case: str, required: bool, release: Release) -> None:
    array, values, kind = TYPED[case]
    column = Column(name="x", type=kind, required=required)
    at_once, alone = Told(), Told()
    expected = [online(predictor(release, alone, [column]), [value]) for value in values]
    found, refused = scored(BatchScorer(predictor(release, at_once, [column])), batch(x=array))
    assert found.column("prediction").to_pylist() == [one for one in expected if isinstance(one, float)]
    assert reasons(refused) == [one for one in expected if isinstance(one, str)]
    assert given(at_once) == given(alone)


CSV_TEXTS = {
    "double": ["0.1", "-3", "1e5", "1E-7", "0.30000000000000004", "+1", " 2 ", "3.", ".5", "1_000", "٣", "nan", "inf",
               "1e400", "12345678901234567890123", "0x1p3", "a", "", "NA", "null", "-0"],
    "long": ["1", "-7", "3.0", "3.5", "9007199254740993", "9223372036854775807", "9223372036854775808", "1e3", "007",
             "+1", " 4", "1_0", "true", "", "NA", "-0"],
    "string": ["a", "größer", "NA", "", "null", " a ", "1"],
    "boolean": ["true", "False", "TRUE", " true ", "tRuE", "1", "yes", "", "NA"],
    "date": ["2013-12-27", "2013-12-27T00:00:00Z", "2013-12-27T01:00:00Z", "27.12.2013", "", "NA"],
    "datetime": ["2013-12-27", "2013-12-27 19:00", "2013-12-27T19:00:00.123456+02:00", "1600-01-01", "", "NA"],
}  # fmt: skip


@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
@pytest.mark.parametrize("kind", CSV_TEXTS)
def test_a_cell_of_csv_is_taken_and_refused_as_in_a_body_of_csv(kind: str, required: bool, release: Release) -> None:
    column, texts = Column(name="x", type=kind, required=required), CSV_TEXTS[kind]
    at_once, alone = Told(), Told()
    body = "\n".join(["x", *(f'"{text}"' for text in texts)]).encode()
    expected = [online(predictor(release, alone, [column]), row) for row in read_csv(body, [column])["data"]]
    found, refused = scored(BatchScorer(predictor(release, at_once, [column]), cells=csv_cells), batch(x=texts))
    assert len(found) == sum(isinstance(one, float) for one in expected)
    assert reasons(refused) == [one for one in expected if isinstance(one, str)]
    assert given(at_once) == given(alone)


def test_a_null_in_a_column_of_texts_is_an_empty_cell_of_csv(release: Release) -> None:
    columns = [Column(name="x", type="double", required=False), Column(name="y", type="double")]
    scorer = BatchScorer(predictor(release, Echo(), columns), cells=csv_cells)
    rows = pyarrow.RecordBatch.from_pydict(
        {"x": [None, None], "y": ["1", None]}, pyarrow.schema([("x", "string"), ("y", "string")])
    )
    _, refused = scored(scorer, rows)
    assert reasons(refused) == [
        "the model has no finite answer: a number is far outside what it was trained on",
        "column 'y': expected a number, found null",
    ]


def test_texts_that_are_no_unicode_are_refused_and_keep_no_other_from_its_answer(release: Release) -> None:
    _, offsets, _ = pyarrow.array([b"ok", b"\xff", b"\xed\xa0\x80", "größer".encode()]).buffers()
    content = pyarrow.py_buffer(b"ok\xff\xed\xa0\x80" + "größer".encode())
    column = pyarrow.StringArray.from_buffers(4, offsets, content)
    found, refused = scored(BatchScorer(predictor(release, Told(), [WORD])), batch(word=column))
    assert len(found) == 2
    assert set(reasons(refused)) == {"column 'word': expected a string of Unicode text, found half of a surrogate pair"}


def test_rows_that_the_model_itself_cannot_take_are_refused_one_by_one(release: Release) -> None:
    asked = predictor(release, Echo(), [NUMBER])
    values = [float(place) for place in range(50)] + [1e308]
    found, refused = scored(BatchScorer(asked), batch(x=values))
    assert found.column("prediction").to_pylist() == [10 * value for value in values if value not in (13, 1e308)]
    assert reasons(refused) == [online(asked, [13.0]), online(asked, [1e308])]
    assert reasons(refused)[0].endswith("a value is outside what it was trained on (unlucky)")


def test_an_optional_column_may_be_absent_and_others_may_be_there(release: Release) -> None:
    columns = [NUMBER, Column(name="y", type="double", required=False)]
    model = Told()
    scored(BatchScorer(predictor(release, model, columns)), batch(other=[[1]], x=[0.5]))
    assert [repr(row) for row in model.rows] == ["(0.5, nan)"]


def test_a_slice_of_a_batch_is_that_slice_and_none_is_none(release: Release) -> None:
    columns = [NUMBER, Column(name="when", type="date", required=False)]
    scorer = BatchScorer(predictor(release, Echo(), [NUMBER]), keep=["when"])
    rows = batch(x=[1.0, 2.0, None, 4.0], when=["2020-01-01", None, "2020-01-03", "x"])
    found, refused = scored(scorer, rows.slice(1, 3))
    assert found.column("prediction").to_pylist() == [20.0, 40.0]
    assert len(refused) == 1
    assert [len(part) for part in scored(BatchScorer(predictor(release, Echo(), columns)), rows.slice(0, 0))] == [0, 0]


SCHEMAS: dict[str, tuple[dict[str, Any], list[str], Cells, str]] = {
    "missing": ({"word": ["a"]}, [], typed_cells, "column 'x' is missing"),
    "texts for numbers": ({"x": ["1"], "word": ["a"]}, [], typed_cells, "column 'x': expected numbers, found string"),
    "numbers for texts": ({"x": [1], "word": [1]}, [], typed_cells, "column 'word': expected texts, found int64"),
    "booleans for numbers": ({"x": [True], "word": ["a"]}, [], typed_cells, "column 'x': expected numbers, found bool"),
    "lists": ({"x": [[1]], "word": ["a"]}, [], typed_cells, "column 'x': expected numbers, found list<item: int64>"),
    "numbers for csv": ({"x": [1], "word": ["a"]}, [], csv_cells, "'x': expected texts, as CSV has them, found int64"),
    "nothing to keep": ({"x": [1], "word": ["a"]}, ["id"], typed_cells, "column 'id', which is to be kept, is missing"),
    "our own name": (
        {"x": [1], "word": ["a"], "model": ["a"]}, ["model"], typed_cells, "'model', which is to be kept, has the name",
    ),
    "the reason's name": (
        {"x": [1], "word": ["a"], "reason": ["a"]}, [], typed_cells, "column 'reason' has the name of a column of the",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SCHEMAS)
def test_columns_that_do_not_fit_are_refused_before_any_row_in_one_line(case: str, release: Release) -> None:
    columns, keep, cells, message = SCHEMAS[case]
    scorer = BatchScorer(predictor(release, Echo(), [NUMBER, WORD]), keep, cells)
    with pytest.raises(Refused) as refusal:
        scorer.check_schema(batch(**columns).schema)
    assert "expected columns that diamond-price 1-aaaaaaaa takes, found: " in str(refusal.value)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_column_that_is_given_twice_is_refused(release: Release) -> None:
    schema = pyarrow.schema([("x", "double"), ("x", "double"), ("id", "string"), ("id", "string")])
    with pytest.raises(Refused, match=r"column 'x' is given twice; column 'id', which is to be kept, is given twice"):
        BatchScorer(predictor(release, Echo(), [NUMBER]), ["id"]).check_schema(schema)


def graph(folder: Path, nodes: Sequence[onnx.NodeProto], outputs: dict[str, int], constants: Sequence[Any]) -> Model:
    """Of a number, a word, and a date."""
    kinds = {"input_0": TensorProto.DOUBLE, "input_1": TensorProto.STRING, "input_2": TensorProto.DOUBLE}
    given, answered = (
        [helper.make_tensor_value_info(name, kind, ["rows"]) for name, kind in of.items()] for of in (kinds, outputs)
    )
    made = helper.make_graph(list(nodes), "made up", given, answered, list(constants))
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    file = folder / "model.onnx"
    file.write_bytes(helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString())
    return onnx_runtime.load(file, GRAPH_INPUTS)


GRAPH_INPUTS = (NUMBER, Column(name="word", type="string", required=False), Column(name="day", type="date"))
WORDS = ("a", "b", "größer", "")
CODES = helper.make_node(
    "LabelEncoder", ["input_1"], ["code"], domain="ai.onnx.ml", keys_strings=list(WORDS),
    values_tensor=helper.make_tensor("values", TensorProto.DOUBLE, [4], [0.1, 0.7, 3.3, 5.5]),
    default_tensor=helper.make_tensor("default", TensorProto.DOUBLE, [1], [math.nan]),
)  # fmt: skip


def numbers(folder: Path) -> Model:
    """x · e + code(word) · day, NaN for a word that it does not know, and infinite for a large x."""
    nodes = [
        CODES,
        helper.make_node("Mul", ["code", "input_2"], ["right"]),
        helper.make_node("Mul", ["input_0", "e"], ["left"]),
        helper.make_node("Add", ["left", "right"], ["prediction"]),
    ]
    e = onnx.numpy_helper.from_array(numpy.array(math.e), "e")
    return graph(folder, nodes, {"prediction": TensorProto.DOUBLE}, [e])


def labels(folder: Path) -> Model:
    """Whether x is more than code(word), with the logistic function of the difference."""
    nodes = [
        CODES,
        helper.make_node("Greater", ["input_0", "code"], ["more"]),
        helper.make_node("Cast", ["more"], ["label"], to=TensorProto.INT64),
        helper.make_node("Sub", ["input_0", "code"], ["difference"]),
        helper.make_node("Sigmoid", ["difference"], ["probability"]),
    ]
    return graph(folder, nodes, {"label": TensorProto.INT64, "probability": TensorProto.DOUBLE}, [])


@pytest.fixture(scope="module")
def many() -> pyarrow.RecordBatch:
    random = numpy.random.default_rng(7)
    x = random.normal(0, 3, MOST)
    x[random.choice(MOST, 60, replace=False)] = random.choice([math.nan, math.inf, 1e308], 60)
    kinds = numpy.array(["a", "b", "größer", "", "never seen", None], dtype=object)
    words = random.choice(kinds, MOST, p=[0.4, 0.3, 0.2, 0.05, 0.0005, 0.0495])
    days = random.integers(0, 20_000, MOST).astype("datetime64[D]").astype(str).astype(object)
    days[random.choice(MOST, 30, replace=False)] = "yesterday"
    return batch(x=pyarrow.array(x), word=pyarrow.array(words.tolist()), day=pyarrow.array(days.tolist()))


@pytest.mark.thorough
def test_a_hundred_thousand_rows_of_a_graph_are_answered_bit_by_bit_as_online(
    many: pyarrow.RecordBatch, release: Release, tmp_path: Path
) -> None:
    asked = predictor(release, numbers(tmp_path), GRAPH_INPUTS)
    found, refused = scored(BatchScorer(asked), many)
    assert (found.column("prediction").to_pylist(), reasons(refused)) == online_each(asked, many)
    assert len(set(reasons(refused))) == 3


@pytest.mark.thorough
def test_a_hundred_thousand_rows_have_the_labels_of_online_and_its_probabilities_but_for_the_last_digit(
    many: pyarrow.RecordBatch, release: Release, tmp_path: Path
) -> None:
    """onnxruntime's logistic function of eight values at once and of one alone differ by a unit in the last place, also
    between two requests."""
    asked = predictor(release, labels(tmp_path), GRAPH_INPUTS, "binary-classification")
    found, refused = scored(BatchScorer(asked), many)
    answers, words = online_each(asked, many)
    assert reasons(refused) == words
    assert found.column("label").to_pylist() == [one.label for one in answers if isinstance(one, Labelled)]
    apart = numpy.array([number_of(one) for one in answers]) - found.column("probability").to_numpy()
    assert numpy.abs(apart).max() <= 2**-52


def test_texts_of_fasttext_are_answered_bit_by_bit_as_online(release: Release, tmp_path: Path) -> None:
    known = {"a": "red rot rouge x", "b": "blue blau x", "c": "green grün x y"}
    (tmp_path / "texts").write_text("".join(f"__label__{label} {text}\n" for label, text in known.items()) * 30)
    library = fasttext.train_supervised(str(tmp_path / "texts"), dim=4, thread=11, bucket=1, verbose=0)
    library.save_model(str(tmp_path / "model.bin"))
    asked = predictor(release, fasttext_runtime.load(tmp_path / "model.bin", [WORD]), [WORD], "classification")
    words = ["red", "rot", "blau", "grün", "x", "y", "unknown", "\0", "line\nbreak", "__label__a", "</s>"]
    random = numpy.random.default_rng(7)
    texts = [" ".join(random.choice(words, size)) for size in random.integers(0, 8, MOST // 10)] + [None]
    found, refused = scored(BatchScorer(asked), batch(word=texts))
    answers, words = online_each(asked, batch(word=texts))
    pairs = zip(found.column("label").to_pylist(), found.column("probability").to_pylist(), strict=True)
    assert [Labelled(label=label, probability=probability) for label, probability in pairs] == answers
    assert reasons(refused) == words
    assert words
