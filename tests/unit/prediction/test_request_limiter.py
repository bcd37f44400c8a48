"""What is over a limit is refused before it is parsed; driven by hand, so that each turn of the event loop counts."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.contract.http_protocol import REFUSED
from services.contract.release import ServingLimits
from services.prediction.json_shape import count_lists
from services.prediction.request_limiter import RequestLimiter

LIMITS = ServingLimits(max_bytes=10, max_requests=2)
NONE: Mapping[str, str] = {}
WHOLE = {"type": "http.request", "body": b"{}", "more_body": False}
PART = {"type": "http.request", "body": b"12345", "more_body": True}
GONE = {"type": "http.disconnect"}


class Client:
    """One request: what it sends, in parts, and what it hears. More parts may be sent later."""

    def __init__(
        self, parts: Iterable[Message] = (WHOLE,), method: str = "POST", headers: Mapping[str, str] = NONE
    ) -> None:
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.scope: Scope = {"type": "http", "method": method, "path": "/", "headers": named}
        self.parts, self.heard, self.asked = list(parts), list[Message](), 0

    async def receive(self) -> Message:
        self.asked += 1
        while not self.parts:
            await pause()
        return self.parts.pop(0)

    async def send(self, message: Message) -> None:
        self.heard.append(message)

    def ask(self, app: RequestLimiter) -> None:
        """Takes the first turn."""
        self._turns = app(self.scope, self.receive, self.send)
        self.go_on()

    def go_on(self) -> None:
        """Takes one more turn."""
        with suppress(StopIteration):
            self._turns.send(None)

    def leave(self) -> None:
        self._turns.close()

    @property
    def status(self) -> int | None:
        return self.heard[0]["status"] if self.heard else None

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.heard[0]["headers"])


async def pause() -> None:
    await asyncio.sleep(0)


class App:
    """Answers 200 with the body that it received; `/` waits until `open`, other methods than POST do not."""

    def __init__(self) -> None:
        self.open = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while scope["method"] == "POST" and not self.open:
            await pause()
        body = (await receive())["body"] if scope["method"] == "POST" else b""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def limiter(app: App) -> RequestLimiter:
    return RequestLimiter(app, LIMITS)


def test_a_request_that_comes_whole_is_answered_in_the_turn_in_which_it_comes(limiter: RequestLimiter) -> None:
    client = Client(headers={"content-length": "2"})
    client.ask(limiter)
    assert (client.status, client.heard[1]["body"], client.asked) == (200, b"{}", 1)


def test_the_newest_request_is_shed_with_a_time_to_come_back_and_those_before_are_answered(
    app: App, limiter: RequestLimiter
) -> None:
    app.open = False
    answered = [Client() for _ in range(LIMITS.max_requests)]
    for client in answered:
        client.ask(limiter)
    shed = Client()
    shed.ask(limiter)
    assert (shed.status, shed.headers[b"retry-after"], shed.asked) == (503, b"1", 0)
    app.open = True
    for client in answered:
        client.go_on()
    assert [client.status for client in answered] == [200, 200]
    again = Client()
    again.ask(limiter)
    assert again.status == 200


def test_health_is_answered_in_one_turn_while_predictions_take_every_place(app: App, limiter: RequestLimiter) -> None:
    app.open = False
    held = [Client() for _ in range(LIMITS.max_requests)]
    for client in held:
        client.ask(limiter)
    health = Client(method="GET")
    health.ask(limiter)
    assert health.status == 200
    for client in held:
        client.leave()


def test_bodies_that_are_still_coming_keep_nobody_out(limiter: RequestLimiter) -> None:
    slow = [Client([{**PART, "body": b""}]) for _ in range(LIMITS.max_requests * 10)]
    for client in slow:
        client.ask(limiter)
    client = Client()
    client.ask(limiter)
    assert client.status == 200
    slow[0].parts.append(WHOLE)
    slow[0].go_on()
    assert slow[0].status == 200
    for client in slow[1:]:
        client.leave()


def test_bodies_that_are_still_coming_have_the_memory_of_those_that_may_be_answered_together(
    limiter: RequestLimiter,
) -> None:
    slow = [Client([PART]) for _ in range(4)]
    for client in slow:
        client.ask(limiter)
    shed = Client([PART])
    shed.ask(limiter)
    assert (shed.status, shed.headers[b"retry-after"]) == (503, b"1")
    slow[0].parts.append(GONE)
    slow[0].go_on()
    another = Client([PART])
    another.ask(limiter)
    assert another.status is None
    for client in (*slow[1:], another):
        client.leave()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": "11"}, 413),
        ({"content-length": "9" * 5000}, 413),
        ({"content-encoding": "gzip"}, 415),
        ({"content-encoding": "GZIP"}, 415),
    ],
)
def test_what_its_headers_refuse_is_told_without_asking_for_the_body(
    headers: dict[str, str], status: int, limiter: RequestLimiter
) -> None:
    client = Client(headers={"expect": "100-continue", **headers})
    client.ask(limiter)
    assert (client.status, client.asked, client.headers[b"connection"]) == (status, 0, b"close")


@pytest.mark.parametrize("headers", [{"content-length": "\t2 "}, {"content-encoding": "Identity"}, {}])
def test_headers_that_say_the_usual_in_an_unusual_way_are_taken(
    headers: dict[str, str], limiter: RequestLimiter
) -> None:
    client = Client(headers=headers)
    client.ask(limiter)
    assert client.status == 200


def test_an_unannounced_body_ends_with_its_last_byte_too_many(limiter: RequestLimiter) -> None:
    fits, whole, parts = (
        Client([PART, {**PART, "more_body": False}]),
        Client([{**WHOLE, "body": b"1" * 11}]),
        Client([PART] * 3),
    )
    for client in (fits, whole, parts):
        client.ask(limiter)
    assert (fits.status, whole.status, parts.status) == (200, 413, 413)


def test_a_body_that_broke_off_is_answered_with_what_the_connection_says_of_it(limiter: RequestLimiter) -> None:
    late, left = Client([PART, GONE]), Client([GONE])
    late.scope[REFUSED] = (408, "too slow")
    for client in (late, left):
        client.ask(limiter)
    assert (late.status, json.loads(late.heard[1]["body"])["error"]) == (408, "too slow")
    assert left.status == 400


MANY = b"[" + b"[]," * 30_000 + b"[]]"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (MANY, JSON, 413),
        (MANY.replace(b"[]", b"{}"), JSON, 413),
        (MANY, {"content-type": "Application/vnd.kserve+JSON"}, 413),
        (b'["' + MANY + b'\\"' + MANY + b'"]', JSON, 200),
        (b'["a\\\\", ' + MANY + b"]", JSON, 413),
        (MANY, {"content-type": "application/vnd.apache.arrow.stream"}, 200),
        (MANY[:60_000], JSON, 200),
    ],
    ids=["lists", "objects", "another JSON", "in a text", "behind a text", "not JSON", "short"],
)
def test_so_many_lists_that_reading_them_takes_long_are_refused(
    body: bytes, headers: dict[str, str], status: int, app: App
) -> None:
    limiter = RequestLimiter(app, ServingLimits(max_bytes=1_000_000, max_lists=25_000))
    client = Client([{**WHOLE, "body": body}], headers=headers)
    client.ask(limiter)
    assert client.status == status
    assert ServingLimits(max_rows=100_000).most_lists == 1_000_000


def test_the_brackets_of_texts_are_left_out_of_an_exact_count_and_a_text_without_an_end_is_read_once() -> None:
    assert count_lists(b'["[{]}", {"a": ["\\"["]}]', 2) == 3
    assert count_lists(b'["' + b"[" * 9, 1) == 1
    # A quadratic time of these is a minute and more.
    for begin in (b'"', b'"\\', b'"\\"', b"\\"):
        assert count_lists(b"[" + begin * 99_999 + b"[", 0) <= 2
