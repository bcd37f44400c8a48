"""A request of many rows keeps nobody waiting, whichever way it goes, and has the answer of the general one."""

import asyncio
import gc
import io
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow
import pyarrow.csv
import pytest
from pyarrow import parquet
from starlette.types import Receive, Scope, Send

from services.contract.prediction import Prediction
from services.contract.release import Column, ServingLimits
from services.prediction.answer_body import AnswerBody
from services.prediction.app import create_api, create_app
from services.prediction.bodies.json_body import read_json
from services.prediction.content_type import ARROW, CSV, JSON, PARQUET
from services.prediction.hot.route import HotRoute
from services.prediction.predictor import Predictor
from services.prediction.runtimes.pyfunc import PyfuncModel
from services.prediction.turns import FIRST, PART_SECONDS, Turns
from tests.support.asgi_asked import ask
from tests.support.served_here import EVERY_TYPE, every_runtime, serving

Made = TypeVar("Made")
ROWS, MORE_ROWS = 5000, 20_000
pytestmark = pytest.mark.thorough

LIMITS = ServingLimits(max_rows=MORE_ROWS, max_bytes=20_000_000)
CELLS = [0.5, -1.5, 7, None, "a: b", "Ideal", True, None, "2013-12-27", None, "2013-12-27 19:00", "2013-12-27"]
TABLE = pyarrow.table({f"c{number}": [0.5] * MORE_ROWS for number in range(12)})
NAMES = [column.name for column in EVERY_TYPE]
BODIES = {
    "split": {"dataframe_split": {"columns": NAMES, "data": [CELLS] * ROWS}},
    "records": {"dataframe_records": [dict(zip(NAMES, CELLS, strict=True))] * ROWS},
    "another column": {"dataframe_split": {"columns": [*NAMES, "other"], "data": [[*CELLS, 1.0]] * ROWS}},
    "columns": {"inputs": {name: [cell] * ROWS for name, cell in zip(NAMES, CELLS, strict=True)}},
    "a bad row at the end": {"instances": [*[CELLS] * (ROWS - 1), ["x", *CELLS[1:]]]},
}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    served = every_runtime(tmp_path_factory.mktemp("store"))["onnx"]
    return serving(served, served.model, EVERY_TYPE, limits=LIMITS)


@pytest.fixture(scope="module")
def pandas_model(predictor: Predictor) -> Predictor:
    """It is asked by rows, of which a table is made for each part."""

    class Sums:
        def predict(self, table: Any) -> Any:
            return table.sum(axis="columns")

    inputs = [Column(name=name, type="double") for name in TABLE.column_names]
    return serving(predictor, PyfuncModel(Sums(), inputs), inputs, limits=LIMITS)


@pytest.fixture(autouse=True)
def only_what_is_new_is_garbage() -> Iterator[None]:
    """To look through all that other tests have left in memory takes longer than a request may keep others waiting."""
    gc.freeze()
    yield
    gc.unfreeze()


async def turns_meanwhile(work: Coroutine[Any, Any, Made]) -> tuple[Made, list[float]]:
    """What is made, and the CPU seconds of all threads between two turns of the event loop."""
    made, gaps = asyncio.ensure_future(work), []
    while not made.done():
        began = time.process_time()
        await asyncio.sleep(0)
        gaps.append(time.process_time() - began)
    return await made, gaps


def best_turns(work: Callable[[], Coroutine[Any, Any, Made]]) -> tuple[Made, list[float]]:
    """Of CPU and of the best of three times, since processor time itself grows where others use the core's caches; what
    keeps the interpreter to itself does so each time."""
    return min((asyncio.run(turns_meanwhile(work())) for _ in range(3)), key=lambda found: max(found[1]))


@pytest.mark.parametrize("form", BODIES)
def test_a_large_request_leaves_others_their_turns_and_is_answered_alike_on_both_ways(
    form: str, predictor: Predictor
) -> None:
    body = json.dumps(BODIES[form]).encode()
    reply, gaps = best_turns(lambda: ask(create_app(predictor), body))
    assert max(gaps) < 0.05
    assert len(gaps) > 5
    assert reply.status == (422 if form.startswith("a bad") else 200)
    assert reply == asyncio.run(ask(create_api(predictor), body))


@pytest.mark.parametrize("kind", ["arrow", "parquet", "csv", "v2"])
def test_rows_in_any_kind_of_body_leave_others_their_turns(kind: str, pandas_model: Predictor) -> None:
    """Parquet has these rows, which are all alike, in a few bytes."""
    model = pandas_model.manifest.model
    path, content_type, body = {
        "arrow": ("/invocations", ARROW, _stream(TABLE)),
        "parquet": ("/invocations", PARQUET, _file(TABLE)),
        "csv": ("/invocations", CSV, _text(TABLE)),
        "v2": (f"/v2/models/{model}/infer", JSON, json.dumps({"inputs": _tensors(TABLE)}).encode()),
    }[kind]
    headers = [(b"content-type", content_type.encode())]
    reply, gaps = best_turns(lambda: ask(create_app(pandas_model), body, headers, path=path))
    assert reply.status == 200, reply.body
    assert max(gaps) < 0.05


def _stream(table: pyarrow.Table) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _file(table: pyarrow.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def _text(table: pyarrow.Table) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink)
    return bytes(sink.getvalue())


def _tensors(table: pyarrow.Table) -> list[dict[str, Any]]:
    return [
        {"name": name, "datatype": "FP64", "shape": [MORE_ROWS], "data": table[name].to_pylist()}
        for name in table.column_names
    ]


async def nobody(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  an ASGI application
    raise LookupError("passed on")


@pytest.mark.parametrize("form", ["split", "records"])
def test_large_requests_in_the_forms_that_clients_send_are_read_in_parts(form: str, predictor: Predictor) -> None:
    route = HotRoute(nobody, predictor, AnswerBody({}), Turns())
    assert asyncio.run(ask(route, json.dumps(BODIES[form]).encode())).status == 200


def test_many_rows_in_a_small_body_are_scored_in_parts_as_well(predictor: Predictor) -> None:
    calls: list[int] = []

    class Slow:
        def predict(self, rows: Sequence[Any]) -> list[Prediction]:
            calls.append(len(rows))
            return [0.5] * len(rows)

        def predict_proba(self, rows: Sequence[Any], classes: Sequence[str]) -> list[Any]:
            raise NotImplementedError

    served = serving(predictor, Slow(), [Column(name="x", type="double")], limits=LIMITS)
    route = HotRoute(nobody, served, AnswerBody({}), Turns())
    reply = asyncio.run(ask(route, json.dumps({"inputs": [[1.5]] * 1000}).encode()))
    assert (reply.status, len(json.loads(reply.body)["predictions"])) == (200, 1000)
    assert (calls[0], sum(calls)) == (FIRST, 1000)


def test_the_parser_of_a_large_body_lets_others_go_on() -> None:
    """Python's own keeps the interpreter until it is through, which here is 100 ms."""
    body = json.dumps({"inputs": [0.123456789] * 500_000}).encode()
    read, gaps = best_turns(lambda: asyncio.to_thread(read_json, body))
    assert len(read["inputs"]) == 500_000
    assert max(gaps) < 0.05


def test_a_name_that_is_given_twice_far_behind_is_refused(predictor: Predictor) -> None:
    body = json.dumps(BODIES["records"]).encode()[:-3] + b', "long": 8}]}'
    reply = asyncio.run(ask(create_app(predictor), body))
    assert (reply.status, b"each name once" in reply.body) == (400, True)


def test_parts_are_as_large_as_the_work_is_fast() -> None:
    sizes: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        end = time.thread_time() + PART_SECONDS * (len(items) / 50)
        while time.thread_time() < end:
            pass
        return items

    assert asyncio.run(Turns().each(work, range(500))) == list(range(500))
    assert sizes[0] == FIRST
    assert max(sizes[1:]) <= 50


def test_large_requests_come_one_after_the_other_and_without_the_collector() -> None:
    turns, seen = Turns(), list[str]()

    async def one(name: str) -> None:
        async with turns.large():
            assert not gc.isenabled()
            seen.append(f"{name} begins")
            await asyncio.sleep(0)
            seen.append(f"{name} ends")

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    assert (seen, gc.isenabled()) == (["a begins", "a ends", "b begins", "b ends"], True)
