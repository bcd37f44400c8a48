"""A candidate answers its share of the predictions, and nobody notices when it cannot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.contract.control_protocol import Split
from services.prediction.canary.canary import MOST_FAILURES, Canary
from services.prediction.canary.chosen import Chosen

Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIVE, CANDIDATE = b"live", b"candidate"


class Failures:
    """Counted by the canary."""

    def __init__(self) -> None:
        self.count = 0

    def one(self) -> None:
        self.count += 1


def to(path: str) -> Split:
    return Split(targets=(path,), share=1.0)


async def live(_scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-from", b"live")]})
    await send({"type": "http.response.body", "body": LIVE + message["body"]})


async def ask(canary: Canary, body: bytes = b"", method: str = "POST") -> tuple[int, bytes, dict[bytes, bytes]]:
    sent: list[Message] = []
    scope = {
        "type": "http",
        "method": method,
        "path": "/invocations",
        "raw_path": b"/invocations",
        "query_string": b"a=1",
        "headers": [],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await canary(scope, receive, send)
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


def answers(status: str = "200 OK", more: bytes = b"", close: bool = False) -> Reply:
    """As a candidate that repeats the request's body."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            assert head.startswith(b"POST /invocations?a=1 HTTP/1.1\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            body = CANDIDATE + await reader.readexactly(length)
            lines = f"HTTP/1.1 {status}\r\nx-from: candidate\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(lines.encode() + body + more)
            if close:
                writer.close()
                return

    return reply


@asynccontextmanager
async def candidate(folder: Path, reply: Reply) -> AsyncIterator[tuple[str, list[None]]]:
    """The path of its socket, and a list that has an item for each connection."""
    connections: list[None] = []
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(None)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reply(reader, writer)
        writer.close()
        ended.put_nowait(None)

    path = str(folder / "candidate.http")
    server = await asyncio.start_unix_server(accept, path)
    try:
        yield path, connections
    finally:
        server.close()
        for _ in connections:
            await ended.get()
        await asyncio.sleep(0)


def run(folder: Path, reply: Reply, asked: Callable[[Canary, str, list[None], Failures], Awaitable[None]]) -> None:
    async def main() -> None:
        async with candidate(folder, reply) as (path, connections):
            failures = Failures()
            canary = Canary(live, failures.one)
            canary.split(to(path))
            try:
                await asked(canary, path, connections, failures)
            finally:
                canary.split(None)

    asyncio.run(main())


def test_the_candidates_answer_is_the_answer_whole_and_with_its_headers(tmp_path: Path) -> None:
    async def asked(canary: Canary, _path: str, connections: list[None], failures: Failures) -> None:
        for _ in range(3):
            status, body, headers = await ask(canary, b"rows")
            assert (status, body, headers[b"x-from"]) == (200, b"candidaterows", b"candidate")
            assert headers[b"content-length"] == b"13"
        assert (len(connections), failures.count) == (1, 0)

    run(tmp_path, answers(), asked)


def test_what_the_candidate_refuses_is_refused(tmp_path: Path) -> None:
    async def asked(canary: Canary, _path: str, _connections: list[None], failures: Failures) -> None:
        assert (await ask(canary))[0] == 422
        assert failures.count == 0

    run(tmp_path, answers("422 Unprocessable Entity"), asked)


async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def noise(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize(("reply", "counted"), [(answers("500 Internal Server Error"), 0), (nothing, 1), (noise, 1)])
def test_where_the_candidate_has_no_answer_the_live_release_has_one(tmp_path: Path, reply: Reply, counted: int) -> None:
    """The candidate counts itself what it answered."""

    async def asked(canary: Canary, _path: str, _connections: list[None], failures: Failures) -> None:
        assert (await ask(canary, b"rows"))[:2] == (200, b"liverows")
        assert failures.count == counted

    run(tmp_path, reply, asked)


def test_a_candidate_that_fails_again_and_again_is_asked_no_more(tmp_path: Path) -> None:
    async def asked(canary: Canary, path: str, connections: list[None], failures: Failures) -> None:
        for _ in range(3 * MOST_FAILURES):
            assert (await ask(canary))[0] == 200
        assert failures.count == len(connections) == MOST_FAILURES
        canary.split(to(path))
        await ask(canary)
        assert failures.count == MOST_FAILURES + 1

    run(tmp_path, nothing, asked)


def test_a_connection_that_the_candidate_closed_meanwhile_is_no_failure(tmp_path: Path) -> None:
    async def asked(canary: Canary, _path: str, connections: list[None], failures: Failures) -> None:
        for number in range(3):
            assert (await ask(canary))[1] == CANDIDATE
            assert len(connections) == number + 1
        assert failures.count == 0

    run(tmp_path, answers(close=True), asked)


def test_without_a_candidate_and_for_questions_the_live_release_answers() -> None:
    async def main() -> None:
        failures = Failures()
        canary = Canary(live, failures.one)
        assert (await ask(canary, b"1"))[1] == b"live1"
        canary.split(to("/nowhere"))
        assert (await ask(canary, b"2", method="GET"))[1] == b"live2"
        assert failures.count == 0

    asyncio.run(main())


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_the_share_of_requests_is_exact(share: float) -> None:
    chosen = Chosen(share)
    assert sum(chosen.takes([]) for _ in range(10_000)) == pytest.approx(10_000 * share, abs=3)


def test_a_client_with_the_sticky_header_stays_on_its_side() -> None:
    chosen = Chosen(0.25, sticky="X-User")
    sides = {user: {chosen.takes([(b"x-user", user.encode())]) for _ in range(3)} for user in map(str, range(10_000))}
    assert all(len(side) == 1 for side in sides.values())
    assert sum(True in side for side in sides.values()) == pytest.approx(2500, abs=100)
    assert [chosen.takes([]) for _ in range(8)].count(True) == 2
