"""A candidate is shown copies of requests: both answers are compared, and no client waits for or gets the other."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from services.contract.control_protocol import Split
from services.prediction.canary.agreement import Agreement, compared_parts
from services.prediction.canary.canary import Canary
from services.prediction.canary.private import SHADOW
from services.prediction.canary.shadow import MOST_AT_ONCE, MOST_BYTES, TASK
from services.prediction.observed.figures import Place
from services.prediction.observed.observer import Observer
from tests.support.candidate_fakes import JSON, RELEASE, Counted, Reply, answers, ask, candidate
from tests.support.observed_release import answering, observed_release
from tests.support.observed_release import ask as ask_observed

DIFFERENCE = 0.1


def agreement(live: Any, other: Any) -> Agreement:
    found = Agreement(DIFFERENCE)
    found.see(live, other)
    return found


def label(label: Any, probability: Any, **more: Any) -> dict[str, Any]:
    return {"label": label, "probability": probability, **more}


@pytest.mark.parametrize(
    ("live", "other"),
    [
        (100.0, 109.9),
        (-100.0, -90.1),
        (0.0, 1e-12),
        (0.0, -0.0),
        (1e16, 1.05e16),
        (100.0, 109),
        (label("a", 0.5), label("a", 0.54)),
        (label(None, None), label(None, None)),
        (label(["a", "b"], [0.6, 0.2]), label(["a", "b"], [0.62, 0.19])),
        (label([], []), label([], [])),
        (label("a", 0.9, probabilities={"a": 0.9, "b": 0.001}), label("a", 0.95, probabilities={"a": 0.95, "b": 0.05})),
        ({"prediction": [1.0, 2.0]}, {"prediction": [1.05, 2.1]}),
    ],
)
def test_answers_that_are_near_enough_agree(live: Any, other: Any) -> None:
    assert agreement(live, other).agrees


@pytest.mark.parametrize(
    ("live", "other"),
    [
        (100.0, 110.2),
        (100.0, -100.0),
        (0.0, 0.001),
        (1e-3, 0.0),
        (1.0, None),
        ([1.0, 2.0], [1.0]),
        (label("a", 0.5), label("b", 0.5)),
        (label("a", 0.5), label("a", 0.7)),
        (label(10, 0.5), label(11, 0.5)),
        (label(1, 0.5), label("1", 0.5)),
        (label("a", 0.5), label(None, None)),
        (label(["a", "b"], [0.6, 0.2]), label(["b", "a"], [0.6, 0.2])),
        (label(["a", "b"], [0.6, 0.2]), label(["a"], [0.6])),
        (label("a", 0.9, probabilities={"a": 0.9, "b": 0.1}), label("a", 0.9, probabilities={"a": 0.9, "c": 0.1})),
        (label("a", 0.9, probabilities={"a": 0.9, "b": 0.1}), label("a", 0.9)),
        ({"label": [1, 2]}, {"label": [1, 3]}),
    ],
)
def test_answers_that_differ_disagree(live: Any, other: Any) -> None:
    assert not agreement(live, other).agrees


def test_how_far_numbers_are_apart_is_added_up_but_not_of_other_labels() -> None:
    live = [100.0, -1.0, label("a", 0.5), label(1, 0.5), label("a", 0.5)]
    found = agreement(live, [103.0, 1.0, label("a", 0.75), label(1, 0.75), label("b", 0.1)])
    assert (found.apart, found.numbers, found.agrees) == (5.5, 4, False)


def test_of_tensors_names_and_data_are_compared_in_small_parts_and_not_who_answered() -> None:
    tensors = [{"name": "prediction", "datatype": "FP64", "shape": [201], "data": [1.5] * 201}]
    body = {"model_name": "m", "model_version": "1-aaaaaaaa", "parameters": {"release": "d"}, "outputs": tensors}
    parts = compared_parts(json.dumps(body).encode())
    assert [(list(part), len(part["prediction"])) for part in parts] == [
        (["prediction"], size) for size in (100, 100, 1)
    ]
    assert compared_parts(b"220 mail") == compared_parts(b"[]") == []


def predictions(*values: Any, revision: str = "1-aaaaaaaa") -> bytes:
    return json.dumps({"predictions": values, "model": {"revision": revision}}).encode()


class Live:
    """Answers as it is told, and notes when."""

    def __init__(self, body: bytes = predictions(1.0), status: int = 200, media: bytes = JSON[1]) -> None:
        self._body, self._status, self._media = body, status, media

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": self._status, "headers": [(b"content-type", self._media)]})
        await send({"type": "http.response.body", "body": self._body})


Asked = Callable[[Canary, Counted], Coroutine[Any, Any, None]]


def shadowed(folder: Path, live: ASGIApp, reply: Reply, asked: Asked) -> Counted:
    async def main() -> Counted:
        async with candidate(folder, reply) as (path, _):
            counted = Counted()
            canary = Canary(live, counted.count)
            canary.split(Split(release=RELEASE, targets=(path,), share=1.0, shadow=True, difference=DIFFERENCE))
            try:
                await asked(canary, counted)
            finally:
                canary.split(None)
                await others_ended()
            return counted

    return asyncio.run(main())


async def others_ended() -> None:
    """What is asked in the background."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == TASK), return_exceptions=True)


def compared(folder: Path, live: ASGIApp, reply: Reply) -> dict[Place, float]:
    """Of one request, whose answer is checked to be the live one's."""

    async def asked(canary: Canary, _: Counted) -> None:
        given = await ask(canary, b"{}")
        assert b"x-from" not in given.headers
        await others_ended()

    return {place: value for place, value in shadowed(folder, live, reply, asked).items() if value}


SAME, OTHER = {Place.SHADOW_COMPARED: 1}, {Place.SHADOW_COMPARED: 1, Place.SHADOW_DISAGREED: 1}


def test_the_identity_is_not_compared(tmp_path: Path) -> None:
    found = compared(tmp_path, Live(), answers(body=predictions(1.0, revision="2-bbbbbbbb")))
    assert found == {**SAME, Place.SHADOW_NUMBERS: 1}


def test_a_request_disagrees_when_any_of_its_rows_does(tmp_path: Path) -> None:
    live, other = predictions(*[2.0] * 300), predictions(*[2.0] * 299, 3.0)
    found = compared(tmp_path, Live(live), answers(body=other))
    assert found == {**OTHER, Place.SHADOW_NUMBERS: 300, Place.SHADOW_APART: 1}


@pytest.mark.parametrize(
    ("live", "status", "expected"),
    [
        (Live(b"{}", 422), "422 Unprocessable Entity", SAME),
        (Live(b"{}", 422), "413 Content Too Large", SAME),
        (Live(b"{}", 422), "200 OK", OTHER),
        (Live(), "422 Unprocessable Entity", OTHER),
        (Live(), "500 Internal Server Error", {}),
        (Live(), "200 OK", OTHER),
        (Live(b"{}", 503), "200 OK", {Place.SHADOW_NOT_COMPARABLE: 1}),
        (Live(b"", media=b"application/vnd.apache.arrow.stream"), "200 OK", {Place.SHADOW_NOT_COMPARABLE: 1}),
        (Live(b" " * (MOST_BYTES + 1)), "200 OK", {Place.SHADOW_TOO_LARGE: 1}),
    ],
)
def test_what_one_refuses_the_other_must_and_what_cannot_be_compared_is_dropped(
    tmp_path: Path, live: ASGIApp, status: str, expected: dict[Place, float]
) -> None:
    """What a candidate answers with an error it counts itself."""
    assert compared(tmp_path, live, answers(status, body=b"{}")) == expected


async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def test_a_request_that_the_candidate_never_answered_is_its_failure(tmp_path: Path) -> None:
    assert compared(tmp_path, Live(), nothing) == {Place.HANDED_ON_FAILED: 1}


def test_the_candidate_is_told_that_it_is_a_copy_and_the_live_release_answers_first(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def asked(canary: Canary, _: Counted) -> None:
        assert (await ask(canary, b"{}")).body == predictions(1.0)
        assert heads == [], "the candidate is asked after the answer"
        await others_ended()

    shadowed(tmp_path, Live(), answers(heads=heads), asked)
    assert heads[0].split(b"\r\n")[3:] == [b"x-request-id: r-1", b"%s: 1" % SHADOW, b"", b""]


def test_a_candidate_that_hangs_keeps_nobody_waiting_and_few_copies_wait_for_it(tmp_path: Path) -> None:
    hung = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        hung.set()
        await reader.read()
        await reader.read()

    async def asked(canary: Canary, counted: Counted) -> None:
        for _ in range(3 * MOST_AT_ONCE):
            assert (await ask(canary, b"{}")).body == predictions(1.0)
        assert counted == {Place.SHADOW_TOO_MANY: 2 * MOST_AT_ONCE}
        await hung.wait()

    assert shadowed(tmp_path, Live(), hang, asked) == {Place.SHADOW_TOO_MANY: 2 * MOST_AT_ONCE}


class Noted:
    def __init__(self) -> None:
        self.count = 0

    def wants(self, *_: object) -> bool:
        return True

    def note(self, _: object) -> None:
        self.count += 1

    def close(self) -> None: ...


def test_a_copy_is_in_the_figures_of_the_candidate_and_written_down_nowhere() -> None:
    observer, noted = Observer(observed_release()), Noted()
    observer._noting.append(noted)  # noqa: SLF001  stands in for logs and spans
    asyncio.run(ask_observed(observer.only_counting(answering(rows=[[1]]))))
    assert noted.count == 0
    assert 'trackback_requests_total{status="200"} 1.0' in observer.metrics().decode()
    asyncio.run(ask_observed(observer.around(answering(rows=[[1]]))))
    assert noted.count == 1


def test_what_was_compared_is_told_with_the_metrics() -> None:
    observer = Observer(observed_release())
    for place, amount in ((Place.SHADOW_COMPARED, 4), (Place.SHADOW_DISAGREED, 1), (Place.SHADOW_APART, 2.5)):
        observer.count(place, amount)
    observer.count(Place.SHADOW_NUMBERS, 5)
    observer.count(Place.SHADOW_TOO_MANY)
    told = observer.metrics().decode().splitlines()
    assert {line for line in told if line.startswith("trackback_shadow")} == {
        "trackback_shadow_compared_total 4.0",
        "trackback_shadow_disagreed_total 1.0",
        "trackback_shadow_difference_count 5.0",
        "trackback_shadow_difference_sum 2.5",
        'trackback_shadow_dropped_total{reason="too many"} 1.0',
        'trackback_shadow_dropped_total{reason="too large"} 0.0',
        'trackback_shadow_dropped_total{reason="not comparable"} 0.0',
    }
