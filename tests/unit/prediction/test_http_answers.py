"""The service as a client meets it, over a real socket: identity on every answer, and a guard before the parser."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contract import names
from services.contract.control_protocol import Split
from services.contract.http_guard import LOOPBACK
from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Release, ServingLimits
from services.prediction.canary.private import SHADOW
from services.prediction.canary.shadow import TASK
from services.prediction.observed.observer import OFF
from services.prediction.observed.settings import ObservedSettings
from services.prediction.predictor import Predictor, load_predictor
from services.prediction.service import Service
from tests.support.candidate_fakes import RELEASE, candidate
from tests.support.release_factory import ROWS, ReleasePlan, build_release, expected_predictions

LIMITS = ServingLimits(max_rows=5, max_bytes=2000, body_seconds=2.0, max_requests=1)
QUESTION = json.dumps({"instances": ROWS}).encode()
JSON = {"Content-Type": "application/json"}
HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def release(store: Path) -> Release:
    return build_release(store, ReleasePlan(limits=LIMITS))


@pytest.fixture(scope="module")
def predictor(store: Path, release: Release) -> Predictor:
    return load_predictor(store / "releases" / release.digest, release.digest)


@asynccontextmanager
async def serving(
    predictor: Predictor, settings: ObservedSettings = OFF
) -> AsyncIterator[tuple[Service, socket.socket]]:
    service = Service(predictor, [*LOOPBACK, "models.example.org"], settings=settings)
    listener = socket.create_server(("127.0.0.1", 0))
    await service.go(listener.dup())
    yield service, listener
    service.stop(0.0)
    await service.stopped.wait()
    listener.close()


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def talk(predictor: Predictor, scenario: Callable[[httpx.AsyncClient, socket.socket], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(predictor) as (_, listener), httpx.AsyncClient(base_url=url_of(listener)) as client:
            await scenario(client, listener)

    asyncio.run(run())


async def raw(listener: socket.socket, request: bytes) -> bytes:
    """The whole answer to bytes that no well-behaved client would send."""
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return answer


def test_an_answer_has_predictions_and_the_models_identity(store: Path, release: Release, predictor: Predictor) -> None:
    async def scenario(client: httpx.AsyncClient, _: socket.socket) -> None:
        answer = await client.post("/invocations", content=QUESTION, headers=JSON)
        assert answer.json() == {
            "predictions": pytest.approx(list(expected_predictions(store, release))),
            "model": {"name": "diamond-price", "revision": "1-aaaaaaaa", "release": release.digest},
        }

    talk(predictor, scenario)


def test_a_stop_does_not_wait_for_a_candidate_that_is_shown_copies(predictor: Predictor, tmp_path: Path) -> None:
    def copies() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == TASK]

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        async with candidate(tmp_path, hang) as (path, _):
            async with serving(predictor) as (service, listener):
                service.canary.split(Split(release=RELEASE, targets=(path,), share=1.0, shadow=True))
                async with httpx.AsyncClient(base_url=url_of(listener)) as client:
                    answer = await client.post("/invocations", content=QUESTION, headers=JSON)
                assert (answer.status_code, copies()) == (200, [TASK])
            assert copies() == []

    asyncio.run(run())


def test_a_copy_at_the_port_of_a_container_is_counted_and_in_no_log_and_a_process_heeds_no_mark(
    predictor: Predictor, tmp_path: Path
) -> None:
    async def logged(name: str, control: Path | None) -> int:
        settings = ObservedSettings(access_log=1.0, access_folder=tmp_path / name, control=control)
        async with (
            serving(predictor, settings) as (_, listener),
            httpx.AsyncClient(base_url=url_of(listener)) as client,
        ):
            for marks in ({}, {SHADOW.decode(): "1"}):
                answer = await client.post("/invocations", content=QUESTION, headers=JSON | marks)
                assert answer.headers[names.RELEASE_HEADER] == predictor.release.digest
            assert 'trackback_requests_total{status="200"} 2.0' in (await client.get("/metrics")).text
        return sum(file.read_text().count("/invocations") for file in (tmp_path / name).iterdir())

    async def run() -> None:
        assert await logged("container", tmp_path / "control") == 1
        assert await logged("process", None) == 2

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metadata", "/docs", "/openapi.json", "/nowhere"])
def test_every_answer_names_model_revision_and_release(path: str, release: Release, predictor: Predictor) -> None:
    async def scenario(client: httpx.AsyncClient, _: socket.socket) -> None:
        answer = await client.get(path)
        assert answer.status_code == (404 if path == "/nowhere" else 200)
        headers = (names.MODEL_HEADER, names.REVISION_HEADER, names.RELEASE_HEADER)
        assert [answer.headers[name] for name in headers] == ["diamond-price", "1-aaaaaaaa", release.digest]

    talk(predictor, scenario)


def test_metadata_say_what_the_model_takes_and_where_it_came_from(predictor: Predictor) -> None:
    async def scenario(client: httpx.AsyncClient, _: socket.socket) -> None:
        found = (await client.get("/metadata")).json()
        assert (found["run_id"], found["unit"], found["limits"]["max_rows"]) == ("a" * 32, "dollars", 5)
        assert (found["library"], found["runtime"], found["task"]) == ("sklearn", "sklearn", "regression")
        assert [column["name"] for column in found["inputs"]] == ["carat", "cut", "grade"]

    talk(predictor, scenario)


class Judge:
    """A model that tells dear from cheap by the carat."""

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [Labelled(label=self.label(row), probability=0.25) for row in rows]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        raise NotImplementedError

    def label(self, row: Sequence[Cell]) -> int | str:
        return int(float(row[0] or 0) > 1)


class NamingJudge(Judge):
    def label(self, row: Sequence[Cell]) -> int | str:
        return f"größer {row[0]}"


def judging(predictor: Predictor, task: str, judge: Judge) -> Predictor:
    manifest = predictor.manifest.model_copy(update={"task": task})
    return Predictor(Release(digest=predictor.release.digest, manifest=manifest), predictor.form, judge)


@pytest.mark.parametrize(
    ("task", "judge", "labels"),
    [("binary-classification", Judge(), [0, 1]), ("classification", NamingJudge(), ["größer 0.5", "größer 2.0"])],
    ids=["0 or 1", "names"],
)
def test_a_classifier_answers_a_label_and_its_probability(
    task: str, judge: Judge, labels: list[int | str], predictor: Predictor
) -> None:
    async def scenario(client: httpx.AsyncClient, _: socket.socket) -> None:
        answer = await client.post("/invocations", json={"instances": [[0.5, "Ideal", 1], [2, "Ideal", 1]]})
        assert answer.json()["predictions"] == [{"label": label, "probability": 0.25} for label in labels]
        assert (await client.get("/metadata")).json()["task"] == task

    talk(judging(predictor, task, judge), scenario)


@pytest.mark.parametrize(
    ("task", "kind"), [("regression", "number"), ("classification", "object"), ("binary-classification", "object")]
)
def test_the_description_of_the_interface_says_what_this_task_answers(
    task: str, kind: str, predictor: Predictor
) -> None:
    async def scenario(client: httpx.AsyncClient, _: socket.socket) -> None:
        found = (await client.get("/openapi.json")).json()
        answer = found["paths"]["/invocations"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        items = resolved(found, answer)["properties"]["predictions"]["items"]
        assert resolved(found, items)["type"] == kind
        assert sorted(resolved(found, items).get("properties", ())) == (
            ["label", "probabilities", "probability"] if kind == "object" else []
        )

    talk(judging(predictor, task, Judge()), scenario)


def test_the_page_of_a_model_needs_nothing_from_elsewhere_and_has_an_example_that_is_answered(
    predictor: Predictor,
) -> None:
    async def scenario(client: httpx.AsyncClient, listener: socket.socket) -> None:
        page = (await client.get("/docs")).text
        assert re.findall(r'(?:src|href|action)="([^"]+)', page) == ["openapi.json", "metadata", "health/ready"]
        assert re.findall(r"https?://[^\s/]+", page) == [url_of(listener)]
        example = unescape(re.findall(r"<textarea[^>]*>(.*)</textarea>", page)[0])
        answer = await client.post("/invocations", content=example, headers=JSON)
        assert answer.status_code == 200
        schema = (await client.get("/openapi.json")).json()["paths"]["/invocations"]["post"]["requestBody"]
        assert schema["content"]["application/json"]["schema"]["example"] == json.loads(example)

    talk(predictor, scenario)


@pytest.mark.parametrize(
    ("prefix", "expected"), [("/models/diamond-price", "/models/diamond-price"), ('/"><script>', ""), ("", "")]
)
def test_the_page_and_the_description_know_where_a_gateway_put_them(
    prefix: str, expected: str, predictor: Predictor
) -> None:
    async def scenario(client: httpx.AsyncClient, _: socket.socket) -> None:
        headers = {"X-Forwarded-Prefix": prefix, "Host": "models.example.org:8080"}
        page = (await client.get("/docs", headers=headers)).text
        assert f"http://models.example.org:8080{expected}/invocations" in page
        assert '"><script>' not in page
        servers = (await client.get("/openapi.json", headers=headers)).json()["servers"]
        assert servers == [{"url": expected or "/"}]

    talk(predictor, scenario)


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(document["components"]["schemas"][name]) if name else schema


def sent(headers: str, body: bytes) -> bytes:
    return HEAD + "".join(f"{line}\r\n" for line in headers.split("|")).encode() + b"\r\n" + body


CHUNKS = b"3e8\r\n" + b" " * 1000 + b"\r\n7d0\r\n" + b" " * 2000 + b"\r\n0\r\n\r\n"
SIX_ROWS = b'{"instances": [[],[],[],[],[],[]]}'
BAD = {
    "not even HTTP": (b"GARBAGE\r\n\r\n", 400),
    "too many headers": (sent("|".join(["X-More: x"] * 101), b""), 431),
    "not JSON": (sent("Content-Length: 3|Connection: close", b"abc"), 400),
    "no content type": (
        b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        415,
    ),
    "compressed": (sent("Content-Encoding: gzip|Content-Length: 2", b"{}"), 415),
    "announced too large": (sent("Content-Length: 2001", b""), 413),
    "chunked too large": (sent("Transfer-Encoding: chunked", CHUNKS), 413),
    "too slow": (sent("Content-Length: 10", b"{"), 408),
    "too many rows": (sent(f"Content-Length: {len(SIX_ROWS)}|Connection: close", SIX_ROWS), 413),
}


@pytest.mark.parametrize("case", BAD)
def test_a_hostile_request_gets_a_4xx_with_identity_and_the_next_one_an_answer(
    case: str, release: Release, predictor: Predictor
) -> None:
    async def scenario(client: httpx.AsyncClient, listener: socket.socket) -> None:
        request, status = BAD[case]
        answer = await raw(listener, request)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        assert release.digest.encode() in answer
        assert b"connection: close" in answer.lower()
        assert (await client.post("/invocations", content=QUESTION, headers=JSON)).status_code == 200

    talk(predictor, scenario)


def test_a_drained_service_asks_its_clients_to_leave_and_can_go_again(predictor: Predictor) -> None:
    async def run() -> None:
        async with serving(predictor) as (service, listener), httpx.AsyncClient(base_url=url_of(listener)) as client:
            assert "connection" not in (await client.get("/health/live")).headers
            service.drain()
            assert service.status().state == "ready"
            assert (await client.get("/health/live")).headers["connection"] == "close"
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/health/live", timeout=0.2)
            await service.go(listener.dup())
            answer = await client.get("/health/live")
            assert (answer.status_code, "connection" in answer.headers) == (200, False)

    asyncio.run(run())
