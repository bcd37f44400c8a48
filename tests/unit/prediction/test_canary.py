"""A candidate answers its share of the predictions, and nobody notices when it cannot."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from services.contract.control_protocol import Command, Split, Verb, host_and_port, private_socket
from services.contract.prediction_log import is_sampled
from services.contract.release import MOST_WORKERS
from services.prediction.canary.canary import Canary
from services.prediction.canary.candidate import MOST_FAILURES, RARELY
from services.prediction.canary.chosen import Chosen
from services.prediction.canary.private import SHADOW, ForClients
from services.prediction.control_server import MAX_COMMAND_BYTES
from services.prediction.observed.figures import Place
from tests.support.asgi_asked import ask as ask_app
from tests.support.candidate_fakes import CANDIDATE, JSON, RELEASE, Counted, Reply, answers, ask, candidate, live

FAILED = Place.HANDED_ON_FAILED


def to(path: str) -> Split:
    return Split(release=RELEASE, targets=(path,), share=1.0)


def run(
    folder: Path | None, reply: Reply, asked: Callable[[Canary, str, list[None], Counted], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with candidate(folder, reply) as (path, connections):
            counted = Counted()
            canary = Canary(live, counted.count)
            canary.split(to(path))
            try:
                await asked(canary, path, connections, counted)
            finally:
                canary.split(None)

    asyncio.run(main())


def test_the_candidates_answer_is_the_answer_whole_and_with_its_headers(tmp_path: Path) -> None:
    async def asked(canary: Canary, _path: str, connections: list[None], counted: Counted) -> None:
        for _ in range(3):
            status, body, headers = await ask(canary, b"rows")
            assert (status, body, headers[b"x-from"]) == (200, b"candidaterows", b"candidate")
            assert headers[b"content-length"] == b"13"
        assert (len(connections), counted[FAILED]) == (1, 0)

    run(tmp_path, answers(), asked)


def test_a_candidate_in_a_container_is_asked_at_its_port() -> None:
    async def asked(canary: Canary, _path: str, connections: list[None], counted: Counted) -> None:
        assert [(await ask(canary, b"rows"))[1] for _ in range(2)] == [b"candidaterows"] * 2
        assert (len(connections), counted[FAILED]) == (1, 0)

    run(None, answers(), asked)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("10.1.2.3:8000", ("10.1.2.3", 8000)),
        ("[fd00::1]:80", ("fd00::1", 80)),
        ("one.releases:8000", ("one.releases", 8000)),
        ("0a1b2c3d.0.http", None),
        ("/sockets/a:1", None),
    ],
)
def test_a_target_is_the_path_of_a_socket_or_a_host_with_its_port(target: str, address: tuple[str, int] | None) -> None:
    assert host_and_port(to(target).targets[0]) == address


@pytest.mark.parametrize(
    "target", ["", ":8000", "one:", "one:http", "one:0", "one:65536", "one:²", "a..b:1", "fd00::1:80"]
)
def test_a_target_that_is_neither_is_refused_in_one_line(target: str) -> None:
    with pytest.raises(ValidationError, match=r"expected a path of a socket or host:port as a target, found"):
        to(target)


def test_another_release_where_the_candidate_was_answers_nobody(tmp_path: Path) -> None:
    """An address of a container is given to another one when it is free."""

    async def asked(canary: Canary, path: str, _connections: list[None], counted: Counted) -> None:
        canary.split(to(path).model_copy(update={"release": "c" * 64}))
        assert (await ask(canary, b"rows"))[:2] == (200, b"liverows")
        assert counted[FAILED] == 1

    run(tmp_path, answers(), asked)


def test_what_the_candidate_refuses_is_refused(tmp_path: Path) -> None:
    async def asked(canary: Canary, _path: str, _connections: list[None], counted: Counted) -> None:
        assert (await ask(canary))[0] == 422
        assert counted[FAILED] == 0

    run(tmp_path, answers("422 Unprocessable Entity"), asked)


async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def noise(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize(("reply", "failed"), [(answers("500 Internal Server Error"), 0), (nothing, 1), (noise, 1)])
def test_where_the_candidate_has_no_answer_the_live_release_has_one(tmp_path: Path, reply: Reply, failed: int) -> None:
    """The candidate counts itself what it answered."""

    async def asked(canary: Canary, _path: str, _connections: list[None], counted: Counted) -> None:
        assert (await ask(canary, b"rows"))[:2] == (200, b"liverows")
        assert counted[FAILED] == failed

    run(tmp_path, reply, asked)


def test_a_candidate_that_fails_again_and_again_is_asked_rarely(tmp_path: Path) -> None:
    async def asked(canary: Canary, path: str, connections: list[None], counted: Counted) -> None:
        for _ in range(3 * MOST_FAILURES):
            assert (await ask(canary))[0] == 200
        assert counted[FAILED] == len(connections) == MOST_FAILURES
        for _ in range(RARELY):
            await ask(canary)
        assert counted[FAILED] == MOST_FAILURES + 1
        canary.split(to(path))
        await ask(canary)
        assert counted[FAILED] == MOST_FAILURES + 2

    run(tmp_path, nothing, asked)


def test_a_connection_that_the_candidate_closed_meanwhile_is_no_failure(tmp_path: Path) -> None:
    async def asked(canary: Canary, _path: str, connections: list[None], counted: Counted) -> None:
        for number in range(3):
            assert (await ask(canary))[1] == CANDIDATE
            assert len(connections) == number + 1
        assert counted[FAILED] == 0

    run(tmp_path, answers(close=True), asked)


def test_without_a_candidate_and_for_questions_the_live_release_answers() -> None:
    async def main() -> None:
        counted = Counted()
        canary = Canary(live, counted.count)
        assert (await ask(canary, b"1"))[1] == b"live1"
        canary.split(to("/nowhere"))
        assert (await ask(canary, b"2", method="GET"))[1] == b"live2"
        assert counted[FAILED] == 0

    asyncio.run(main())


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_the_share_of_requests_is_exact(share: float) -> None:
    chosen = Chosen(share)
    assert sum(chosen.takes([]) for _ in range(10_000)) == pytest.approx(10_000 * share, abs=3)


NAMES: dict[str, Callable[[int], str]] = {
    "users": "user-{}".format,
    "ids of ours": "3fb2c19a04d7-{}".format,
    "every eighth": lambda number: str(8 * number),
    "digests": lambda number: sha256(b"%d" % number).hexdigest(),
    "addresses": "ada{:05}@example.org".format,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_the_share_of_clients_is_within_one_percent_and_each_stays_on_its_side(name: str, share: float) -> None:
    users = [NAMES[name](number).encode() for number in range(10_000)]
    process, another = Chosen(share, sticky="X-User"), Chosen(share, sticky="x-user")
    sides = [process.takes([(b"x-user", user)]) for user in users]
    assert sum(sides) == pytest.approx(10_000 * share, abs=100)
    assert [another.takes([(b"x-user", user)]) for user in reversed(users)] == sides[::-1]
    more = Chosen(2 * share, sticky="x-user")
    assert all(more.takes([(b"x-user", user)]) for user, side in zip(users, sides, strict=True) if side)


def test_requests_without_the_sticky_header_are_chosen_one_by_one() -> None:
    chosen = Chosen(0.25, sticky="X-User")
    assert [chosen.takes([(b"x-user", b"")]) or chosen.takes([]) for _ in range(4)].count(True) == 2


def test_by_its_id_a_request_that_is_asked_again_stays_on_its_side_whoever_gave_the_id() -> None:
    """The header of a client whose id was unsafe says nothing."""
    chosen = Chosen(0.5, sticky="X-Request-Id")
    sides = [chosen.takes([], f"ours-{number}") for number in range(10_000)]
    again = [chosen.takes([(b"x-request-id", b"\xff")], f"ours-{number}") for number in range(10_000)]
    assert again == sides
    assert sum(sides) == pytest.approx(5000, abs=10)


def test_the_requests_of_the_prediction_log_are_of_both_sides_alike() -> None:
    chosen = Chosen(0.5, sticky="X-Request-Id")
    sampled = [id_ for id_ in (f"ours-{number}" for number in range(10_000)) if is_sampled(id_, 0.1)]
    assert sum(chosen.takes([], id_) for id_ in sampled) == pytest.approx(len(sampled) / 2, rel=0.1)


def test_only_what_a_client_asks_is_handed_on() -> None:
    """A check of the rollout service's comes without what the public listener knows of a request."""

    async def main() -> None:
        canary = Canary(live, Counted().count)
        canary.split(to("/nowhere"))
        assert (await ask_app(canary, b"golden")).body == b"livegolden"

    asyncio.run(main())


def test_the_candidate_is_told_the_id_and_neither_a_forged_mark_nor_to_wait_for_the_body(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def asked(canary: Canary, _path: str, _connections: list[None], _counted: Counted) -> None:
        forged = [JSON, (SHADOW, b"1"), (b"expect", b"100-continue"), (b"x-request-id", b"\xff")]
        assert (await ask(canary, b"rows", headers=forged))[1] == b"candidaterows"

    run(tmp_path, answers(heads=heads), asked)
    assert heads[0].split(b"\r\n")[3:] == [b"content-type: application/json", b"x-request-id: r-1", b"", b""]


def app_named(name: bytes, asked: list[bytes]) -> ASGIApp:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        asked.append(name)

    return app


def test_at_the_private_socket_clients_requests_are_told_from_copies_and_checks() -> None:
    asked: list[bytes] = []
    app = ForClients(*(app_named(name, asked) for name in (b"check", b"observed", b"counted")))
    for headers in ([], [(b"x-request-id", b"r-1")], [(b"x-request-id", b"r-1"), (SHADOW, b"1")]):
        asyncio.run(app({"type": "http", "headers": headers}, nowhere, nowhere))
    assert asked == [b"check", b"observed", b"counted"]


async def nowhere(*_: object) -> Any: ...


def test_the_sockets_of_all_workers_of_a_candidate_fit_into_one_command() -> None:
    sockets = tuple(private_socket(Path("0a1b2c3d"), worker).name for worker in range(MOST_WORKERS))
    split = Split(release=RELEASE, targets=sockets, share=0.123456789, sticky="X-" + 98 * "a")
    assert len(Command(verb=Verb.SPLIT, split=split).model_dump_json()) <= MAX_COMMAND_BYTES


def test_a_layer_without_a_candidate_is_one_call() -> None:
    """No coroutine of its own: what it returns is the live release's."""

    answered = nowhere()

    def answer(*_: object) -> Any:
        return answered

    assert Canary(answer, Counted().count)({}, nowhere, nowhere) is answered
    answered.close()
