"""Whatever a body is written in, and whatever its answer is, the predictions are the same."""

import asyncio
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pyarrow
import pyarrow.ipc
import pytest

from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Column, Form, Release
from services.contract.task import Task
from services.prediction.app import create_api
from services.prediction.content_type import ARROW, PARQUET
from services.prediction.predictor import Predictor
from tests.support.paths import ROOT
from tests.support.release_factory import build_release
from tests.unit.prediction.test_typed_bodies import arrow, in_parquet

INPUTS = (Column(name="x", type="double"), Column(name="word", type="string", required=False))
CLASSES = ("dear", "cheap")
TABLE = pyarrow.table({"word": ["a", None, "b"], "x": [1, 2, 30]})
RECORDS = [{"x": 1, "word": "a"}, {"x": 2}, {"x": 30, "word": "b"}]


class Doubling:
    """Answers twice the number, and none to numbers from 1,000 on."""

    asked_in_columns = 0

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [2.0 * self.taken(float(row[0] or 0)) for row in rows]

    def taken(self, number: float) -> float:
        if number >= 1000:
            raise ValueError("too dear")
        return number

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        raise NotImplementedError


class Columnar(Doubling):
    def predict_columns(self, columns: Sequence[Any]) -> Mapping[str, Any]:
        self.asked_in_columns += 1
        return {"prediction": [2.0 * self.taken(number) for number in columns[0].to_pylist()]}


class Judge(Doubling):
    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [Labelled(label="dear", probability=0.75) for _ in rows]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        probabilities = dict(zip(classes, (0.75, 0.25), strict=True))
        return [Labelled(label="dear", probability=0.75, probabilities=probabilities) for _ in rows]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_release(tmp_path_factory.mktemp("store"))


def predictor(release: Release, model: Any, task: Task = "regression") -> Predictor:
    classes = CLASSES if task == "classification" else ()
    manifest = release.manifest.model_copy(update={"inputs": INPUTS, "task": task, "classes": classes})
    form = Form(runtime="onnx", file="model.onnx", tolerance=1e-9)
    return Predictor(Release(digest=release.digest, manifest=manifest), form, model, {"x": 1.0})


def ask(asked: Predictor, body: bytes, media: str, accept: str = "*/*", path: str = "/invocations") -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(create_api(asked))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(path, content=body, headers={"Content-Type": media, "Accept": accept})

    return asyncio.run(run())


def ask_json(asked: Predictor, content: Any, accept: str = "*/*") -> httpx.Response:
    return ask(asked, json.dumps(content).encode(), "application/json", accept)


def stream_of(answer: httpx.Response) -> pyarrow.Table:
    assert (answer.status_code, answer.headers["content-type"]) == (200, ARROW)
    return pyarrow.ipc.open_stream(answer.content).read_all()


@pytest.mark.parametrize("media", [ARROW, PARQUET])
@pytest.mark.parametrize(("model", "times"), [(Doubling, 0), (Columnar, 1)], ids=["rows", "columns"])
def test_a_typed_body_is_answered_as_the_same_rows_in_json(
    media: str, model: type[Doubling], times: int, release: Release
) -> None:
    asked = predictor(release, model())
    answer = ask(asked, arrow(TABLE) if media == ARROW else in_parquet(TABLE), media)
    assert answer.json() == ask_json(asked, {"dataframe_records": RECORDS}).json()
    assert answer.json()["predictions"] == [2.0, 4.0, 60.0]
    assert asked.model.asked_in_columns == times  # type: ignore[attr-defined]


def test_more_rows_than_are_asked_at_once_are_answered_in_their_order(release: Release) -> None:
    asked = predictor(release, Columnar())
    many = release.manifest.limits.model_copy(update={"max_rows": 10_000})
    asked.manifest = asked.manifest.model_copy(update={"limits": many})
    table = pyarrow.table({"x": [float(number % 1000) for number in range(10_000)]})
    answer = ask(asked, arrow(table), ARROW)
    assert answer.json()["predictions"] == [2.0 * (number % 1000) for number in range(10_000)]


def test_a_column_of_arrow_that_the_model_refuses_is_refused_as_in_json(release: Release) -> None:
    asked = predictor(release, Columnar())
    answer = ask(asked, arrow(pyarrow.table({"x": [1.0, 1000.0]})), ARROW)
    assert (answer.status_code, "too dear" in answer.json()["error"]) == (422, True)
    assert answer.json() == ask_json(asked, {"dataframe_records": [{"x": 1}, {"x": 1000}]}).json()


class Endless(Columnar):
    """Its answer to 7 is infinite."""

    def taken(self, number: float) -> float:
        return math.inf if number == 7 else number


def test_an_answer_that_is_not_finite_is_refused_as_in_json(release: Release) -> None:
    asked = predictor(release, Endless())
    answer = ask(asked, arrow(pyarrow.table({"x": [1.0, 7.0]})), ARROW)
    assert (answer.status_code, "no finite answer" in answer.json()["error"]) == (422, True)


def test_an_answer_in_arrow_names_the_model_in_its_metadata(release: Release) -> None:
    asked = predictor(release, Columnar())
    for answer in (ask(asked, arrow(TABLE), ARROW, ARROW), ask_json(asked, {"dataframe_records": RECORDS}, ARROW)):
        found = stream_of(answer)
        assert found.to_pydict() == {"prediction": [2.0, 4.0, 60.0]}
        assert found.schema.metadata == {
            b"model": b"diamond-price", b"revision": b"1-aaaaaaaa", b"release": release.digest.encode()
        }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"label": "dear", "probability": 0.75}),
        ({"threshold": 0.9}, {"label": None, "probability": None}),
        ({"k": 2}, {"label": ["dear", "cheap"], "probability": [0.75, 0.25]}),
        (
            {"predict_method": "predict_proba"},
            {"label": "dear", "probability": 0.75, "probabilities": {"dear": 0.75, "cheap": 0.25}},
        ),
    ],
)
def test_an_answer_in_arrow_has_what_one_in_json_has(
    params: dict[str, Any], expected: dict[str, Any], release: Release
) -> None:
    asked = predictor(release, Judge(), "classification")
    question = {"dataframe_records": RECORDS, "params": params}
    assert ask_json(asked, question).json()["predictions"] == [expected] * 3
    assert stream_of(ask_json(asked, question, ARROW)).to_pylist() == [expected] * 3


class Asked:
    """What another layer wants to know of a request."""

    rows = batch = 0
    wanted = True
    inputs: Any = None
    outputs: Any = None


def test_whoever_logs_a_request_learns_its_rows_and_answers(release: Release) -> None:
    logged = Asked()
    api = create_api(predictor(release, Columnar()))

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await api({**scope, "asked": logged}, receive, send)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://localhost") as client:
            await client.post("/invocations", content=arrow(TABLE), headers={"Content-Type": ARROW})

    asyncio.run(run())
    assert (logged.rows, logged.batch, logged.outputs) == (3, 3, [2.0, 4.0, 60.0])
    assert [row[0] for row in logged.inputs] == [1.0, 2.0, 30.0]


@pytest.mark.process
def test_arrow_is_not_imported_before_such_a_body_comes() -> None:
    code = "import sys, services.prediction.__main__; print('pyarrow' in sys.modules, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "False False\n"
