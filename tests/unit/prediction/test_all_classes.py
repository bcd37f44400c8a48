"""A classifier answers with the probabilities of all classes when it is asked, in every form that serves."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fasttext
import httpx
import pytest

from services.contract.errors import Refused
from services.contract.fasttext_text import labelled_all
from services.contract.prediction import Labelled
from services.contract.release import Column, Form, Release, Servable
from services.contract.task import Task
from services.delivery.flavors import fasttext as fasttext_flavor
from services.delivery.flavors.sklearn import to_onnx
from services.prediction.answers import as_json
from services.prediction.app import create_app
from services.prediction.ask import answer_file
from services.prediction.invalid import Invalid
from services.prediction.params import Params, read_params
from services.prediction.predictor import MOST_PROBABILITIES, Predictor, load_predictor
from services.prediction.runtimes import fasttext as fasttext_runtime
from tests.support.release_factory import INPUTS, ROWS, ReleasePlan, build_release, train_judge

NAMES = ("cheap", "dear", "größer")
ALL = {"predict_method": "predict_proba"}
ONNX = Form(runtime="onnx", file="servable/model.onnx", tolerance=1e-12)


def plan(served: str, task: Task, **more: Any) -> ReleasePlan:
    """A classifier in one of the forms of scikit-learn's models."""
    classes = NAMES if task == "classification" else (0, 1)
    judge = train_judge(classes)
    more |= {"estimator": judge, "task": task, "classes": tuple(map(str, classes))}
    return ReleasePlan(**more) if served == "sklearn" else ReleasePlan(**more, spoil=as_graph(judge), **in_onnx())


def in_onnx() -> dict[str, Any]:
    return {"servable": Servable(form=ONNX, notes=())}


def as_graph(judge: Any) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        (folder / "servable").mkdir()
        (folder / ONNX.file).write_bytes(to_onnx(judge, folder, INPUTS))

    return write


def loaded(store: Path, of: ReleasePlan) -> Predictor:
    release = build_release(store, of)
    return load_predictor(store / "releases" / release.digest, release.digest)


def answered(predictor: Predictor, params: Any, rows: Sequence[Any] = ROWS) -> httpx.Response:
    return talk(predictor, "POST", "/invocations", json={"instances": rows, "params": params})


def talk(predictor: Predictor, method: str, path: str, **sent: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(predictor))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **sent)

    return asyncio.run(ask())


@pytest.fixture(scope="module", params=["sklearn", "onnx"])
def served(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("task", "names"), [("classification", NAMES), ("binary-classification", ("0", "1"))])
def test_every_prediction_has_the_probabilities_of_all_classes_in_their_order(
    served: str, task: Task, names: tuple[str, ...], tmp_path: Path
) -> None:
    predictor = loaded(tmp_path, plan(served, task))
    expected = train_judge(NAMES if task == "classification" else (0, 1)).predict_proba(list(map(list, ROWS)))
    found = answered(predictor, ALL).json()["predictions"]
    assert [tuple(one["probabilities"]) for one in found] == [names] * len(ROWS)
    for one, row in zip(found, expected, strict=True):
        assert list(one["probabilities"].values()) == pytest.approx(row, rel=1e-12)
        assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-12)
        own = "1" if task == "binary-classification" else one["label"]
        assert one["probability"] == one["probabilities"][own]
    plain = answered(predictor, {}).json()["predictions"]
    assert plain == [{key: one[key] for key in ("label", "probability")} for one in found]


def test_k_asks_for_the_most_probable_labels_and_threshold_for_those_that_are_probable_enough(tmp_path: Path) -> None:
    predictor = loaded(tmp_path, plan("sklearn", "classification"))
    (one,) = answered(predictor, ALL, ROWS[:1]).json()["predictions"]
    ranked = sorted(one["probabilities"].items(), key=lambda each: -each[1])
    (two,) = answered(predictor, {"k": 2}, ROWS[:1]).json()["predictions"]
    assert two == {"label": [name for name, _ in ranked[:2]], "probability": [each for _, each in ranked[:2]]}
    (likely,) = answered(predictor, {"k": -1, "threshold": ranked[1][1]}, ROWS[:1]).json()["predictions"]
    assert likely == two
    (none,) = answered(predictor, {"threshold": 1}, ROWS[:1]).json()["predictions"]
    assert none == {"label": None, "probability": None}


@pytest.mark.parametrize(
    ("params", "task", "words"),
    [
        ([1], "classification", "params: expected an object of parameters, found a list of 1"),
        (
            {"predict_method": "secret"},
            "classification",
            "params.predict_method: expected predict or predict_proba, found a string",
        ),
        (ALL, "regression", "params.predict_method: expected predict, found a string: this model answers numbers"),
        ({"k": 0}, "classification", "params.k: expected a whole number of labels from 1, or -1 for all"),
        ({"k": True}, "classification", "params.k: expected a whole number"),
        ({"k": "secret"}, "classification", "params.k: expected a whole number"),
        ({"threshold": 1.5}, "classification", "params.threshold: expected a probability from 0 to 1"),
        ({"threshold": "secret"}, "classification", "params.threshold: expected a probability from 0 to 1"),
    ],
)
def test_a_parameter_of_another_value_is_named_in_one_sentence(params: Any, task: Task, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_params(params, task)
    assert (refusal.value.status, str(refusal.value).startswith(words)) == (422, True), refusal.value
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("params", [None, {}, {"never_heard_of": [1]}, {"predict_method": "predict"}])
@pytest.mark.parametrize("task", ["regression", "classification", "binary-classification"])
def test_parameters_that_nobody_knows_are_ignored(params: Any, task: Task) -> None:
    assert read_params(params, task) == Params()


def test_a_release_that_was_packaged_before_says_how_to_get_them(tmp_path: Path) -> None:
    before = plan("sklearn", "classification")
    predictor = loaded(tmp_path, ReleasePlan(estimator=before.estimator, task=before.task))
    answer = answered(predictor, ALL)
    assert (answer.status_code, "promote its run again" in answer.json()["error"]) == (422, True)
    assert answered(predictor, {}).status_code == 200


def test_golden_probabilities_of_all_classes_are_replayed(served: str, tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match="golden row 0: expected the probability [0-9.e-]+ of 'größer', found [0-9.e-]+: not the"
    ):
        loaded(tmp_path, plan(served, "classification", golden_shift=1e-6))


def test_an_answer_has_at_most_a_million_probabilities(tmp_path: Path) -> None:
    predictor = loaded(tmp_path, plan("sklearn", "classification"))
    rows = [list(ROWS[0])] * (MOST_PROBABILITIES // 3 + 1)
    with pytest.raises(
        Invalid, match="expected at most 333333 rows for the probabilities of all 3 classes, found 333334"
    ):
        predictor.predict_proba(rows)


def test_the_page_and_the_description_say_how_to_ask_for_them(tmp_path: Path) -> None:
    predictor = loaded(tmp_path, plan("sklearn", "classification"))

    page = talk(predictor, "GET", "/docs").text
    description, metadata = (talk(predictor, "GET", path).json() for path in ("/openapi.json", "/metadata"))
    assert "predict_proba" in page
    assert "cheap, dear, größer" in page
    body = description["paths"]["/invocations"]["post"]["requestBody"]["content"]
    known = body["application/json"]["schema"]["properties"]["params"]["properties"]
    assert known["predict_method"]["enum"] == ["predict", "predict_proba"]
    assert "carat, cut, grade" in body["text/csv"]["schema"]["description"]
    assert metadata["classes"] == list(NAMES)


def test_a_file_of_rows_is_answered_with_them_as_well(served: str, tmp_path: Path) -> None:
    predictor = loaded(tmp_path, plan(served, "classification"))
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    assert list(answer_file(predictor, tmp_path / "rows.json").predictions) == predictor.ask_all(ROWS)


TEXT = (Column(name="text", type="string"),)
TEXTS = [["red rouge"], ["x y"], ["blau"], ["never seen"]]


@pytest.fixture(scope="module", params=["softmax", "hs", "ova", "ns"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(str(request.param))
    words = {"a": "red rot rouge x", "b": "blue blau x", "c": "green grün x y", "d": "grey x"}
    (folder / "texts").write_text("".join(f"__label__{label} {text}\n" for label, text in words.items()) * 30)
    file = folder / "model.bin"
    fasttext.train_supervised(
        str(folder / "texts"), loss=request.param, dim=4, thread=11, bucket=1, verbose=0
    ).save_model(str(file))
    return file


def test_fasttext_answers_all_labels_with_probabilities_that_add_up_to_one(trained: Path) -> None:
    library = fasttext.load_model(str(trained))
    classes = fasttext_flavor.classes(library)
    assert sorted(classes) == ["a", "b", "c", "d"]
    expected = fasttext_flavor.predict_proba(library, TEXTS, TEXT)
    plain = fasttext_flavor.predict(library, TEXTS, TEXT)
    for one, label in zip(expected, plain, strict=True):
        assert isinstance(one, Labelled)
        assert one.probabilities
        assert list(one.probabilities) == classes
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert one.model_copy(update={"probabilities": None}) == label
        assert one.probabilities[str(one.label)] == one.probability


CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "inputs": ({"inputs": ["red rouge"]}, "a"),
    "instances": ({"instances": ["red rouge"]}, "a"),
    "a value a column": ({"inputs": {"text": "red rouge"}}, "a"),
    "records in inputs": ({"inputs": [{"text": "red rouge"}]}, "a"),
    "the three most probable": ({"inputs": {"text": ["red rouge"]}, "params": {"k": 3}}, 3),
    "no parameters": ({"dataframe_records": [{"text": "red rouge"}], "params": {}}, "a"),
    "another column": ({"dataframe_records": [{"text": "red rouge", "extra": 1}]}, "a"),
}


@pytest.fixture(scope="module")
def speaker(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A release of the texts' model as the service has it."""
    library = fasttext.load_model(str(trained))
    built = build_release(tmp_path_factory.mktemp("store"))
    changes = {"inputs": TEXT, "task": "classification", "classes": tuple(fasttext_flavor.classes(library))}
    release = Release(digest=built.digest, manifest=built.manifest.model_copy(update=changes))
    return Predictor(release, ONNX, fasttext_runtime.FastTextModel(Told(library)))


@pytest.mark.parametrize("case", CASES)
def test_a_model_of_one_text_answers_what_mlflows_server_answers(case: str, speaker: Predictor) -> None:
    body, expected = CASES[case]
    answer = talk(speaker, "POST", "/invocations", json=body)
    assert answer.status_code == 200
    (one,) = answer.json()["predictions"]
    if isinstance(expected, int):
        assert (len(one["label"]), one["label"][0]) == (expected, "a")
        assert one["probability"] == sorted(one["probability"], reverse=True)
    else:
        assert one["label"] == expected


def test_a_table_in_csv_is_answered_up_to_the_limits_of_rows_and_bytes(speaker: Predictor) -> None:
    headers = {"Content-Type": "text/csv"}
    found = talk(speaker, "POST", "/invocations", content=b"text\nred rouge\nblau\n", headers=headers)
    assert found.json()["predictions"] == [as_json(one, Params()) for one in speaker.ask([["red rouge"], ["blau"]])]
    many = talk(speaker, "POST", "/invocations", content=b"text\n" + b"blau\n" * 1001, headers=headers)
    assert (many.status_code, "at most 1000 rows, found 1001" in many.text) == (413, True)
    large = talk(speaker, "POST", "/invocations", content=b"text\n" + b"x" * 1_000_000, headers=headers)
    assert (large.status_code, "at most 1000000 bytes" in large.text) == (413, True)


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_the_paths_of_mlflows_server_answer(path: str, speaker: Predictor) -> None:
    assert talk(speaker, "GET", path).status_code == 200


def test_labels_that_fasttext_leaves_out_have_no_probability() -> None:
    found = labelled_all(["__label__a", "__label__c"], [0.75, 0.5], ["a", "b", "c"])
    assert found == Labelled(label="a", probability=0.75, probabilities={"a": 0.75, "b": 0.0, "c": 0.25})
    alone = labelled_all(["__label__a"], [1.00001], ["a", "b"])
    assert alone.probabilities == {"a": 1.0, "b": 0.0}


class Told:
    """fastText's build that can only predict, which answers one text at a time."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def predict(self, text: str, k: int) -> tuple[Any, Any]:
        labels, probabilities = self._library.predict([text], k)
        return labels[0], probabilities[0]


def test_fasttexts_runtime_answers_as_its_flavor(trained: Path) -> None:
    library = fasttext.load_model(str(trained))
    runtime = fasttext_runtime.FastTextModel(Told(library))
    assert runtime.predict(TEXTS) == fasttext_flavor.predict(library, TEXTS, TEXT)
    classes = fasttext_flavor.classes(library)
    assert runtime.predict_proba(TEXTS, classes) == fasttext_flavor.predict_proba(library, TEXTS, TEXT)


def test_an_answer_of_numbers_stays_one() -> None:
    assert json.dumps(as_json(1.5, Params())) == "1.5"
