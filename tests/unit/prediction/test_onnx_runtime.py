"""A graph is served only when it is one of ours, stands alone and answers what it should."""

import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import psutil
import pyarrow
import pytest
from onnx import TensorProto, helper

from services.contract.errors import Refused
from services.contract.prediction import Labelled
from services.contract.release import Column
from services.prediction.runtimes import onnx as runtime

DOUBLE, FLOAT, STRING, INT64 = TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64
INPUTS = (
    Column(name="carat", type="double"),
    Column(name="cut", type="string"),
    Column(name="grade", type="long"),
    Column(name="polished", type="boolean"),
)
SECRET = numpy.full(1000, 42.0)
Values = dict[str, tuple[int, list[Any]]]


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], **attributes)


def write(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Values,
    outputs: Values,
    constants: Sequence[onnx.TensorProto] = (),
) -> Path:
    given, answered = (
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in values.items()]
        for values in (inputs, outputs)
    )
    graph = helper.make_graph(list(nodes), "made up", given, answered, list(constants))
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    file = folder / "model.onnx"
    file.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    return file


def rows_of(kind: int) -> tuple[int, list[Any]]:
    return kind, ["rows"]


def doubled(folder: Path, given: str = "input_0", kind: int = DOUBLE, output: str = "prediction") -> Path:
    """A graph that answers twice its input."""
    return write(folder, [node("Add", [given, given], output)], {given: rows_of(kind)}, {output: rows_of(kind)})


def lookup(output: str, **attributes: Any) -> onnx.NodeProto:
    return node("LabelEncoder", ["input_1"], output, domain="ai.onnx.ml", keys_strings=["Fair", "größer"], **attributes)


def labelled(folder: Path, label: onnx.NodeProto, kind: int) -> Path:
    """A graph that looks up the label of a cut and answers the carat as its probability."""
    inputs = {"input_0": rows_of(DOUBLE), "input_1": rows_of(STRING)}
    outputs = {"probability": rows_of(DOUBLE), "label": rows_of(kind)}
    return write(folder, [node("Identity", ["input_0"], "probability"), label], inputs, outputs)


def test_a_graph_answers_a_number_a_row(tmp_path: Path) -> None:
    model = runtime.load(doubled(tmp_path), INPUTS)
    assert model.predict([(0.1, "Fair", 1, True), (1e300, "Good", 2, False)]) == [0.2, 2e300]


def test_a_factor_of_a_product_of_matrices_keeps_its_digits(tmp_path: Path) -> None:
    """onnxruntime's extended optimizations fold it into the product, in single precision."""
    third, nodes = (
        1 / 3,
        [
            node("Unsqueeze", ["input_0", "axis"], "column"),
            node("Mul", ["column", "third"], "scaled"),
            node("MatMul", ["scaled", "one"], "product"),
            node("Squeeze", ["product", "axis"], "prediction"),
        ],
    )
    constants = [
        onnx.numpy_helper.from_array(numpy.array([1]), "axis"),
        onnx.numpy_helper.from_array(numpy.array(third), "third"),
        onnx.numpy_helper.from_array(numpy.array([[1.0]]), "one"),
    ]
    file = write(tmp_path, nodes, {"input_0": rows_of(DOUBLE)}, {"prediction": rows_of(DOUBLE)}, constants)
    assert runtime.load(file, INPUTS).predict([(1.0, "Fair", 1, True)]) == [third]


@pytest.mark.parametrize(("place", "expected"), [(2, [2.0**54, -14.0]), (3, [2.0, 0.0])], ids=["long", "boolean"])
def test_whole_numbers_and_booleans_are_doubles_in_a_graph(place: int, expected: list[float], tmp_path: Path) -> None:
    model = runtime.load(doubled(tmp_path, f"input_{place}"), INPUTS)
    assert model.predict([(0.1, "Fair", 2**53, True), (0.1, "Fair", -7, False)]) == expected


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("date", "1970-01-03", 2 * 2 * 86400.0),
        ("datetime", "1970-01-01T00:00:01.5Z", 3.0),
        ("long", 7, 14.0),
        ("boolean", True, 2.0),
        ("date", math.nan, math.nan),
        ("long", math.nan, math.nan),
    ],
)
def test_a_moment_is_its_seconds_in_a_graph_and_what_is_missing_is_nan(
    kind: str, cell: Any, expected: float, tmp_path: Path
) -> None:
    model = runtime.load(doubled(tmp_path), (Column(name="x", type=kind, required=False),))
    assert model.predict([(cell,)]) == [pytest.approx(expected, nan_ok=True)]


def test_a_missing_text_is_an_empty_one_in_a_graph(tmp_path: Path) -> None:
    label = node("LabelEncoder", ["input_1"], "label", domain="ai.onnx.ml", keys_strings=[""], values_strings=["none"])
    inputs = (INPUTS[0], Column(name="cut", type="string", required=False))
    model = runtime.load(labelled(tmp_path, label, STRING), inputs)
    assert model.predict([(0.5, math.nan)]) == [Labelled(label="none", probability=0.5)]


def test_a_graph_answers_a_name_with_its_probability(tmp_path: Path) -> None:
    label = lookup("label", values_strings=["a", "ü"], default_string="none")
    model = runtime.load(labelled(tmp_path, label, STRING), INPUTS)
    rows = [(0.5, "größer", 1, True), (0.25, "Fair\0", 1, True), (0.75, "Fair", 1, True)]
    expected = [("ü", 0.5), ("none", 0.25), ("a", 0.75)]
    assert model.predict(rows) == [Labelled(label=name, probability=number) for name, number in expected]


def test_a_graph_answers_0_or_1_with_the_probability_of_1(tmp_path: Path) -> None:
    model = runtime.load(labelled(tmp_path, lookup("label", values_int64s=[0, 1]), INT64), INPUTS)
    found = model.predict([(0.25, "Fair", 1, True), (0.75, "größer", 1, True)])
    assert found == [Labelled(label=0, probability=0.25), Labelled(label=1, probability=0.75)]


def threads() -> set[int]:
    return {thread.id for thread in psutil.Process().threads()}


def test_no_thread_is_started_beside_the_one_that_asks(tmp_path: Path) -> None:
    before = threads()
    model = runtime.load(doubled(tmp_path), INPUTS)
    assert model.predict([(0.5, "Fair", 1, True)] * 10_000) == [1.0] * 10_000
    assert threads() <= before


def test_a_row_that_the_graph_fails_on_is_an_error_of_that_row_and_not_a_line_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = node("OneHotEncoder", ["input_1"], "hot", domain="ai.onnx.ml", cats_strings=["Fair"], zeros=0)
    nodes = [encoder, node("Cast", ["hot"], "cast", to=DOUBLE), node("Reshape", ["cast", "shape"], "prediction")]
    shape = helper.make_tensor("shape", INT64, [1], [-1])
    file = write(tmp_path, nodes, {"input_1": rows_of(STRING)}, {"prediction": rows_of(DOUBLE)}, [shape])
    model = runtime.load(file, INPUTS)
    assert model.predict([(0.1, "Fair", 1, True)]) == [1.0]
    with pytest.raises(ValueError, match="the graph fails on these rows"):
        model.predict([(0.1, "Good", 1, True)])
    assert capfd.readouterr() == ("", "")


def test_an_answer_too_many_is_refused(tmp_path: Path) -> None:
    nodes = [node("Concat", ["input_0", "input_0"], "prediction", axis=0)]
    file = write(tmp_path, nodes, {"input_0": rows_of(DOUBLE)}, {"prediction": (DOUBLE, ["twice"])})
    with pytest.raises(Refused, match=r"expected an output 'prediction' of 4 rows, found an array of \(8,\)"):
        runtime.load(file, INPUTS).predict([(0.1, "Fair", 1, True)])


def identity(folder: Path, given: tuple[int, list[Any]], outputs: Sequence[str] = ("prediction",)) -> Path:
    nodes = [node("Identity", ["input_0"], name) for name in outputs]
    return write(folder, nodes, {"input_0": given}, dict.fromkeys(outputs, given))


def in_bytes(content: bytes) -> Callable[[Path], Path]:
    def spoil(folder: Path) -> Path:
        file = folder / "model.onnx"
        file.write_bytes(content)
        return file

    return spoil


def cut_short(folder: Path) -> Path:
    file = doubled(folder)
    file.write_bytes(file.read_bytes()[:-20])
    return file


def of_another_domain(folder: Path) -> Path:
    nodes = [node("RunThis", ["input_0"], "prediction", domain="com.example")]
    return write(folder, nodes, {"input_0": rows_of(DOUBLE)}, {"prediction": rows_of(DOUBLE)})


STRANGE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no file": (lambda folder: folder / "model.onnx", "expected an ONNX graph, cannot read it: No such file"),
    "a pickle": (in_bytes(pickle.dumps([1])), r"model\.onnx: expected an ONNX graph, found something else"),
    "an empty file": (in_bytes(b""), "expected a whole ONNX graph in one file, cannot load it: .*No graph was found"),
    "cut short": (cut_short, r"model\.onnx: expected an ONNX graph, found something else: package the model again"),
    "onnxruntime's own format": (in_bytes(b"\x18\0\0\0ORTM" + bytes(64)), "expected an ONNX graph, found something"),
    "an operator of somebody else": (of_another_domain, "expected a whole ONNX graph in one file, .*com.example"),
    "an input by another name": (
        lambda folder: doubled(folder, "carat"),
        "expected inputs input_0, input_1, input_2, input_3, found 'carat'",
    ),
    "an input too many": (lambda folder: doubled(folder, "input_4"), "input_2, input_3, found 'input_4'"),
    "a number for a string": (
        lambda folder: doubled(folder, "input_1"),
        r"input_1: expected tensor\(string\) of shape \(rows,\), found tensor\(double\) of \['rows'\]",
    ),
    "single precision": (
        lambda folder: doubled(folder, kind=FLOAT),
        r"input_0: expected tensor\(double\) of shape \(rows,\), found tensor\(float\) of \['rows'\]",
    ),
    "two dimensions": (
        lambda folder: identity(folder, (DOUBLE, ["rows", 1])),
        r"input_0: expected tensor\(double\) of shape \(rows,\), found tensor\(double\) of \['rows', 1\]",
    ),
    "an output by another name": (
        lambda folder: doubled(folder, output="variable"),
        "expected outputs prediction, or label, probability, probabilities, found variable",
    ),
    "an output too many": (
        lambda folder: identity(folder, rows_of(DOUBLE), ("prediction", "probability")),
        "expected outputs prediction, or label, probability, probabilities, found prediction, probability",
    ),
    "a label that is a number": (
        lambda folder: identity(folder, rows_of(DOUBLE), ("label", "probability")),
        r"expected numbers in double precision, and labels, found label tensor\(double\)",
    ),
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_no_graph_of_ours_is_refused_with_its_own_message(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, message = STRANGE[case]
    with pytest.raises(Refused, match=message) as refusal:
        runtime.load(spoil(tmp_path), INPUTS)
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")


def elsewhere(location: Path | str) -> onnx.TensorProto:
    tensor = TensorProto(name="secret", data_type=DOUBLE, dims=[len(SECRET)], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=str(location))
    return tensor


def in_a_constant(folder: Path, location: Path | str) -> Path:
    given = rows_of(DOUBLE)
    nodes = [node("Cast", ["input_0"], "place", to=INT64), node("Gather", ["secret", "place"], "prediction")]
    return write(folder, nodes, {"input_0": given}, {"prediction": given}, [elsewhere(location)])


def in_an_attribute(folder: Path, location: Path | str) -> Path:
    keys = helper.make_tensor("keys", DOUBLE, [len(SECRET)], range(len(SECRET)))
    default = helper.make_tensor("default", DOUBLE, [1], [0.0])
    tensors = {"keys_tensor": keys, "values_tensor": elsewhere(location), "default_tensor": default}
    nodes = [
        node("Identity", ["input_0"], "copy"),
        node("LabelEncoder", ["copy"], "prediction", domain="ai.onnx.ml", **tensors),
    ]
    return write(folder, nodes, {"input_0": rows_of(DOUBLE)}, {"prediction": rows_of(DOUBLE)})


@pytest.mark.parametrize("where", ["secret.bin", "{folder}/secret.bin", "../{name}/secret.bin", "*/_ORT_MEM_ADDR_/*"])
@pytest.mark.parametrize("plant", [in_a_constant, in_an_attribute])
def test_a_graph_that_reads_another_file_is_refused(
    plant: Callable[[Path, str], Path], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SECRET.tofile(tmp_path / "secret.bin")
    monkeypatch.chdir(tmp_path)
    file = plant(tmp_path, where.format(folder=tmp_path, name=tmp_path.name))
    with pytest.raises(Refused, match="expected a whole ONNX graph in one file, cannot load it") as refusal:
        runtime.load(file, INPUTS)
    assert "\n" not in str(refusal.value)


def test_columns_come_in_fours_as_rows_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    ask = runtime.OnnxModel._fed_with

    def noted(model: runtime.OnnxModel, outputs: Sequence[str], arrays: dict[str, numpy.ndarray]) -> dict[str, Any]:
        fed.append(len(arrays["input_0"]))
        return ask(model, outputs, arrays)

    monkeypatch.setattr(runtime.OnnxModel, "_fed_with", noted)
    model = runtime.load(doubled(tmp_path), INPUTS[:1])
    numbers = [0.5, 1.5, 2.5, 3.5, 4.5]
    found = model.predict_columns([pyarrow.array(numbers)])["prediction"].tolist()
    assert found == model.predict([[number] for number in numbers]) == [2 * number for number in numbers]
    assert fed == [8, 8]
