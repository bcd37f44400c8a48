"""The clients of benchmarks and of tests of faults: what is an answer, what is a failure, and that none is hidden."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable

from benchmarks.load_client import Heard, Load, Question, Way

OK = b"HTTP/1.1 200 OK\r\nX-Revision: 2-abc\r\nContent-Length: 2\r\n\r\n{}"
LAST = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(serve: Serve, way: Way, enough: Callable[[Heard], bool], timeout: float = 30.0) -> Heard:
    """Of one client, until it has heard enough."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    load = Load(Question.post(f"http://127.0.0.1:{port}/invocations", b"{}", "X-Revision"), timeout)
    running = asyncio.create_task(load.run([way]))
    while not enough(load.heard):
        await asyncio.sleep(0)
    load.stop()
    await running
    server.close()
    return load.heard


def answering(*answers: bytes, connections: list[int] | None = None) -> Serve:
    """Sends these one after the other over each connection, then closes it; the last is sent for ever if it is OK."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connections is not None:
            connections.append(1)
        try:
            for answer in [*answers, *[OK] * (10_000 if answers[-1] == OK else 0)]:
                await reader.readuntil(b"{}")
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    return serve


def heard(number: int) -> Callable[[Heard], bool]:
    return lambda found: found.answers.total() >= number


def failed(number: int) -> Callable[[Heard], bool]:
    return lambda found: len(found.failures) >= number


def test_answers_are_counted_by_the_header_over_one_connection() -> None:
    connections: list[int] = []
    found = asyncio.run(asked(answering(OK, connections=connections), Way(), heard(5)))
    assert (found.failures, set(found.answers), len(connections)) == ([], {"2-abc"}, 1)
    assert len(found.seconds) == found.answers.total()


def test_a_client_of_new_connections_makes_one_for_each_question() -> None:
    connections: list[int] = []
    found = asyncio.run(asked(answering(OK, connections=connections), Way(keeps=False), heard(5)))
    assert found.failures == []
    assert len(connections) >= 5


def test_a_connection_that_ends_as_announced_is_no_failure() -> None:
    found = asyncio.run(asked(answering(OK, LAST), Way(), heard(5)))
    assert found.failures == []


def test_a_kept_connection_that_ends_unannounced_is_a_failure() -> None:
    once = OK.replace(b"2-abc", b"2-abd")
    found = asyncio.run(asked(answering(once), Way(pause=3600.0), failed(1)))
    assert (found.answers, found.failures) == ({"2-abd": 1}, ["the server closed the connection"])


def test_another_status_is_a_failure_with_its_beginning_and_is_not_asked_again() -> None:
    refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
    found = asyncio.run(asked(answering(refusal, OK), Way(), heard(3)))
    assert found.failures == ["status 503: busy"]


def test_half_an_answer_is_a_failure() -> None:
    found = asyncio.run(asked(answering(OK[:-1]), Way(), failed(1)))
    assert (found.answers, found.failures[0]) == (Counter(), "the server closed the connection")


def test_what_is_not_http_is_a_failure() -> None:
    found = asyncio.run(asked(answering(b"SSH-2.0-OpenSSH\r\n"), Way(), failed(1)))
    assert found.failures[0].endswith("expected HTTP, found b'SSH-2.0-OpenSSH\\r\\n'")


def test_an_answer_that_does_not_come_in_time_is_a_failure() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    found = asyncio.run(asked(silent, Way(), failed(1), timeout=0.05))
    assert found.failures[0] == "TimeoutError: expected an answer within 0.05 s, found none"


def test_a_refused_connection_is_a_failure() -> None:
    async def refused() -> Heard:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
        load = Load(Question.post(f"http://127.0.0.1:{port}/", b"{}"))
        running = asyncio.create_task(load.run([Way(), Way(keeps=False)]))
        while len(load.heard.failures) < 3:
            await asyncio.sleep(0)
        load.stop()
        await running
        return load.heard

    assert asyncio.run(refused()).failures[0].startswith("ConnectionRefusedError: ")


def test_an_idle_client_stops_at_once_and_fails_nothing() -> None:
    found = asyncio.run(asked(answering(OK), Way(pause=3600.0), heard(1)))
    assert (found.failures, found.answers.total()) == ([], 1)
