"""Tensors of the Open Inference Protocol are rows of the model's table, and a refusal has the form of the protocol."""

import asyncio
import json
import struct
from typing import Any

import httpx
import pytest

from services.contract.release import Column, Release
from services.prediction.app import create_api
from services.prediction.invalid import Invalid
from services.prediction.open_inference.tensors import read_rows, read_tensors
from tests.support.release_factory import build_release
from tests.unit.prediction.test_answers_in_arrow import Doubling, Judge, predictor

CARAT, CUT = Column(name="carat", type="double"), Column(name="cut", type="string")
GRADE = Column(name="grade", type="long", required=False)
INPUTS = (CARAT, CUT, GRADE)


def tensor(name: str, datatype: str, data: Any, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data, **more}


def rows(*tensors: Any, inputs: tuple[Column, ...] = INPUTS, binary: bytes = b"") -> list[list[Any]]:
    return read_rows(read_tensors({"inputs": list(tensors)}, binary, inputs, 10), inputs)


def behind(name: str, datatype: str, shape: list[int], size: int) -> dict[str, Any]:
    """Of which the elements stand behind the JSON."""
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def test_each_tensor_is_a_column_by_its_name() -> None:
    found = rows(
        tensor("cut", "BYTES", ["a", "b"]),
        tensor("grade", "INT8", [[1], [2]], [2, 1]),
        tensor("carat", "FP64", [0.5, 1]),
    )
    assert found == [[0.5, "a", 1], [1.0, "b", 2]]


def test_an_optional_column_may_be_absent_or_null_or_nan() -> None:
    carat, cut = tensor("carat", "FP64", [1, 2]), tensor("cut", "BYTES", ["a", "b"])
    assert rows(carat, cut) == [[1.0, "a", None], [2.0, "b", None]]
    assert rows(carat, cut, tensor("grade", "INT64", [None, 7])) == [[1.0, "a", None], [2.0, "b", 7]]
    content = struct.pack("<2d", float("nan"), 7.0)
    assert rows(carat, cut, behind("grade", "FP64", [2], 16), binary=content) == [[1.0, "a", None], [2.0, "b", 7.0]]


def test_one_tensor_of_all_columns_has_them_in_their_order() -> None:
    inputs = (CARAT, GRADE)
    flat, nested = tensor("x", "FP32", [0.5, 1, 2, 3], [2, 2]), tensor("x", "FP32", [[0.5, 1], [2, 3]], [2, 2])
    content = struct.pack("<4f", 0.5, 1, 2, 3)
    assert rows(flat, inputs=inputs) == rows(nested, inputs=inputs) == [[0.5, 1.0], [2.0, 3.0]]
    assert rows(behind("x", "FP32", [2, 2], 16), inputs=inputs, binary=content) == [[0.5, 1.0], [2.0, 3.0]]
    assert rows(tensor("x", "BYTES", ["a"]), inputs=(CUT,)) == [["a"]]


@pytest.mark.parametrize(
    ("datatype", "layout", "values"),
    [
        ("BOOL", "?", [True, False]), ("INT8", "b", [-128, 127]), ("INT16", "h", [-5, 5]), ("INT32", "i", [-5, 5]),
        ("INT64", "q", [-(2**63), 2**63 - 1]), ("UINT8", "B", [0, 255]), ("UINT16", "H", [0, 65535]),
        ("UINT32", "I", [0, 2**32 - 1]), ("UINT64", "Q", [0, 2**64 - 1]), ("FP16", "e", [0.1, 2.0]),
        ("FP32", "f", [0.1, 2.0]), ("FP64", "d", [0.1, 2.0]),
    ],
)  # fmt: skip
def test_an_element_is_the_same_in_json_and_in_binary(datatype: str, layout: str, values: list[Any]) -> None:
    content = struct.pack(f"<2{layout}", *values)
    in_binary = rows(behind("carat", datatype, [2, 1], len(content)), inputs=(CARAT,), binary=content)
    assert in_binary == rows(tensor("carat", datatype, values), inputs=(CARAT,))
    assert in_binary == [[value] for value in struct.unpack(f"<2{layout}", content)]


def test_texts_in_binary_stand_behind_their_length_and_in_json_may_be_base64() -> None:
    content = b"\x01\x00\x00\x00a\x03\x00\x00\x00\xe2\x82\xac"
    assert rows(behind("cut", "BYTES", [2], len(content)), inputs=(CUT,), binary=content) == [["a"], ["€"]]
    encoded = tensor("cut", "BYTES", ["4oKs"], parameters={"content_type": "base64"})
    assert rows(encoded, inputs=(CUT,)) == [["€"]]


NAMED = "tensor named as an input of the model: carat, cut, grade"
WRONG: dict[str, tuple[list[Any], str]] = {
    "no list": ([], "expected a list of 1 to 3 tensors"),
    "no object": ([7], "inputs[0]: expected an object of name, shape, datatype and data"),
    "another datatype": ([tensor("carat", "BF16", [1])], "inputs[0].datatype: expected one of"),
    "another name": ([tensor("cut", "BYTES", [""]), tensor("secret", "FP64", [1])], f"inputs[1]: expected a {NAMED}"),
    "a name twice": ([tensor("carat", "FP64", [1])] * 2, "column 'carat' is given twice"),
    "a column missing": ([tensor("carat", "FP64", [1])], "column 'cut' is missing"),
    "too few columns": ([tensor("secret", "FP64", [1, 2], [1, 2])], "the shape [rows, 3] of carat, cut, grade"),
    "a wide column": ([tensor("carat", "FP64", [1, 2], [1, 2])], "expected the shape [rows] or [rows, 1]"),
    "three dimensions": ([tensor("carat", "FP64", [1], [1, 1, 1])], "inputs[0].shape: expected [rows]"),
    "a fraction of a row": ([tensor("carat", "FP64", [1], [1.5])], "inputs[0].shape: expected"),  # type: ignore[list-item]
    "no rows": ([tensor("carat", "FP64", [], [0])], "inputs[0]: expected at least one row"),
    "too many rows": ([tensor("carat", "FP64", [1] * 11)], "inputs[0]: expected at most 10 rows, found 11"),
    "too few elements": ([tensor("carat", "FP64", [1], [2])], "inputs[0].data: expected 2 elements"),
    "no data": ([{"name": "carat", "datatype": "FP64", "shape": [1]}], "inputs[0].data: expected a list"),
    "a text for a number": ([tensor("carat", "FP64", ["secret"])], "inputs[0].data: expected elements of FP64"),
    "true for a number": ([tensor("carat", "INT8", [True])], "inputs[0].data: expected elements of INT8"),
    "a number too large": ([tensor("carat", "INT8", [128])], "expected elements of INT8, found one outside of it"),
    "columns of other lengths": (
        [tensor("carat", "FP64", [1]), tensor("cut", "BYTES", ["a", "b"])], "expected tensors of equally many rows"
    ),
    "bytes that are not there": ([behind("carat", "FP64", [1], 8)], "a binary_data_size within the bytes"),
    "parameters of no object": ([tensor("carat", "FP64", [1], parameters=7)], "expected parameters in an object"),
    "another content type": (
        [tensor("cut", "BYTES", ["a"], parameters={"content_type": "hg"})], "expected a content_type of"
    ),
    "no Base64": ([tensor("cut", "BYTES", ["é"], parameters={"content_type": "base64"})], "expected texts in Base64"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_tensors_are_named_and_never_repeated(case: str) -> None:
    tensors, words = WRONG[case]
    with pytest.raises(Invalid) as refusal:
        rows(*tensors)
    assert words in str(refusal.value), refusal.value
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "size", "words"),
    [
        (b"\x00" * 9, 8, "expected 8 bytes behind the JSON, found 9"),
        (b"\x00" * 7, 7, "expected 8 bytes of FP64, found 7"),
    ],
)
def test_binary_elements_are_exactly_as_many_as_the_shape_says(content: bytes, size: int, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        rows(behind("carat", "FP64", [1], size), inputs=(CARAT,), binary=content)


@pytest.mark.parametrize(
    "content", [b"\x02\x00\x00\x00a", b"\x01\x00\x00", b"\x01\x00\x00\x00\xff", b"\x01\x00\x00\x00a" * 2]
)
def test_binary_texts_that_are_cut_off_or_no_texts_are_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="inputs.0.: expected"):
        rows(behind("cut", "BYTES", [1], len(content)), inputs=(CUT,), binary=content)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_release(tmp_path_factory.mktemp("store"))


def ask(release: Release, method: str, path: str, content: Any = None, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode() if content else None
    api = create_api(
        predictor(release, Judge(), "classification") if "judge" in headers else predictor(release, Doubling())
    )
    headers.pop("judge", None)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost") as client:
            return await client.request(method, path, content=body, headers=sent)

    return asyncio.run(run())


MODEL = "/v2/models/diamond-price"
X = {"inputs": [tensor("x", "FP64", [1, 30])]}


def test_an_answer_has_the_model_its_version_and_the_id_of_the_request(release: Release) -> None:
    for path in (f"{MODEL}/infer", f"{MODEL}/versions/1-aaaaaaaa/infer"):
        assert ask(release, "POST", path, {**X, "id": "7"}).json() == {
            "model_name": "diamond-price", "model_version": "1-aaaaaaaa", "id": "7",
            "parameters": {"release": release.digest},
            "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [2], "data": [2.0, 60.0]}],
        }  # fmt: skip


def test_outputs_are_those_that_are_asked_for_each_in_json_or_binary(release: Release) -> None:
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
    answer = ask(release, "POST", f"{MODEL}/infer", {**X, "outputs": outputs}, judge="")
    length = int(answer.headers["inference-header-content-length"])
    assert [{**one, "parameters": None} for one in json.loads(answer.content[:length])["outputs"]] == [
        {"name": "probabilities", "datatype": "FP64", "shape": [2, 2], "parameters": None},
        {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["dear", "dear"], "parameters": None},
    ]
    assert struct.unpack("<4d", answer.content[length:]) == (0.75, 0.25, 0.75, 0.25)


REFUSED = {
    "another model": ("POST", "/v2/models/other/infer", X, 404, "expected the model diamond-price, found another name"),
    "another version": ("GET", f"{MODEL}/versions/2/ready", None, 404, "expected the version 1-aaaaaaaa of"),
    "another path": ("GET", f"{MODEL}/stats", None, 404, "expected /v2/models/diamond-price or a path below it"),
    "another output": ("POST", f"{MODEL}/infer", {**X, "outputs": [{"name": "y"}]}, 400, "outputs[0].name: expected"),
    "another value": ("POST", f"{MODEL}/infer", {"inputs": [tensor("x", "BYTES", ["a"])]}, 400, "row 0, column 'x'"),
    "k": ("POST", f"{MODEL}/infer", {**X, "parameters": {"k": 2}}, 400, "parameters: expected none of k, threshold"),
    "an id of another kind": ("POST", f"{MODEL}/infer", {**X, "id": 7}, 400, "id: expected a string"),
    "no JSON": ("POST", f"{MODEL}/infer", b"{", 400, "expected a JSON object in UTF-8"),
    "another model of version 1": ("GET", "/v1/models/other", None, 404, "expected the model diamond-price"),
    "version 1, another model": ("POST", "/v1/models/other:predict", {}, 404, "expected the model diamond-price"),
    "version 1, another value": ("POST", "/v1/models/diamond-price:predict", {"instances": ["a"]}, 400, "row 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_one_error_in_words(case: str, release: Release) -> None:
    method, path, content, status, words = REFUSED[case]
    answer = ask(release, method, path, content)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]


@pytest.mark.parametrize("length", ["", "-1", "x", "99999999999999999999"])
def test_a_length_of_the_json_that_is_none_is_refused(length: str, release: Release) -> None:
    headers = {"Inference_Header_Content_Length": length}
    assert ask(release, "POST", f"{MODEL}/infer", X, **headers).status_code == 400


def test_the_first_version_predicts_as_kserve_does(release: Release) -> None:
    assert ask(release, "GET", "/v1/models").json() == {"models": ["diamond-price"]}
    assert ask(release, "GET", "/v1/models/diamond-price").json() == {"name": "diamond-price", "ready": True}
    answer = ask(release, "POST", "/v1/models/diamond-price:predict", {"instances": [{"x": 1}, {"x": 30}]})
    assert answer.json()["predictions"] == [2.0, 60.0]


def test_a_path_that_there_is_not_is_refused_in_the_form_of_all_errors(release: Release) -> None:
    answer = ask(release, "GET", "/nowhere")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert ask(release, "DELETE", "/invocations").headers["allow"] == "POST"
