"""What the attack on a service sends, and what it calls a fault: with answers that are written down here."""

import asyncio

import pytest

from benchmarks.hostile_client import HANG_SECONDS, LOOK_SECONDS, OVERTAKEN, Attack, Exchange, Pending, Tally
from benchmarks.hostile_requests import MOST_GROWTH, Outcome, report
from benchmarks.hostile_shapes import MARKER, Sent, hostile_request

FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ANY, VALID = Sent(b"", 0), Sent(b"", 200)


def test_a_seed_and_a_number_make_the_same_request_and_others_make_others() -> None:
    made = [hostile_request(1, number) for number in range(100)]
    assert made == [hostile_request(1, number) for number in range(100)]
    assert len({one.data for one in made}) > 80
    assert {one.data for one in made} != {hostile_request(2, number).data for number in range(100)}
    assert any(one.slow for one in [hostile_request(1, number) for number in range(3000)])


@pytest.mark.parametrize(
    ("sent", "answer", "problem"),
    [
        (ANY, b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "expected no 5xx but an announced 503, found [500]"),
        (ANY, FINE + b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "found [200, 502]"),
        (ANY, b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "found [503]"),
        (ANY, b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n", None),
        (ANY, b"HTTP/1.1 422 No\r\n\r\n" + MARKER.encode(), "expected a short refusal without its input"),
        (ANY, b"HTTP/1.1 422 No\r\n\r\n" + b"a" * 9000, "expected a short refusal without its input"),
        (ANY, b"HTTP/1.1 422 No\r\n\r\n", None),
        (ANY, b"", None),
        (VALID, b"HTTP/1.1 422 No\r\n\r\n", "expected 200, found [422]"),
        (VALID, b"", "expected 200, found the end of the connection"),
        (VALID, FINE, None),
    ],
)
def test_an_answer_that_a_service_must_not_give_is_named_with_its_request(
    sent: Sent, answer: bytes, problem: str | None
) -> None:
    tally = Tally()
    tally.add(7, sent, answer)
    assert len(tally.problems) == (problem is not None)
    assert not problem or problem in tally.problems[0]


def test_only_answers_of_the_services_own_fault_are_counted_as_such() -> None:
    tally = Tally()
    for answer in (
        b"HTTP/1.1 500 No\r\n\r\n",
        b"HTTP/1.1 503 No\r\nRetry-After: 1\r\n\r\n",
        b"HTTP/1.1 422 No\r\n\r\n",
    ):
        tally.add(0, ANY, answer)
    assert (tally.errors, dict(tally.statuses)) == (1, {500: 1, 503: 1, 422: 1})


class Waiting(Attack):
    """An attack that is looked at by hand, with one request that is not answered."""

    def __init__(self) -> None:
        super().__init__(0, None, 1, 1)  # type: ignore[arg-type]
        self.ended = False
        exchange = Exchange()
        exchange.transport = self  # type: ignore[assignment]
        self._pending[7] = Pending(exchange, self.tally.sent)

    def abort(self) -> None:
        self.ended = True


LONG = int(HANG_SECONDS / LOOK_SECONDS) + 1


@pytest.mark.parametrize(
    ("answered", "sleeps", "hangs"),
    [
        (0, [True] * LONG, 1),
        (OVERTAKEN + 1, [False] * LONG, 1),
        (OVERTAKEN - 1, [True] * LONG * 10 + [False] * LONG, 1),
        (OVERTAKEN - 1, [False] + [True] * LONG * 10, 0),
        (OVERTAKEN * 10, [True] * (LONG - 1), 0),
    ],
    ids=["a service that sleeps", "overtaken", "a service that slept", "a service that has no core", "not long"],
)
def test_a_hang_is_one_that_load_cannot_explain(answered: int, sleeps: list[bool], hangs: int) -> None:
    attack = Waiting()
    attack.tally.sent += answered
    for look in sleeps:
        attack.look(look)
    assert (attack.tally.hangs, attack.ended) == (hangs, bool(hangs))


class Silent(asyncio.Transport):
    def write(self, data: object) -> None:
        """Sends it to nobody."""


def test_an_answer_of_a_kept_connection_is_whole_at_its_length() -> None:
    async def run() -> bytes:
        exchange = Exchange()
        exchange.transport = Silent()
        asking = asyncio.create_task(exchange.ask(Sent(b"GET", framed=True)))
        await asyncio.sleep(0)
        for part in (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\no"):
            exchange.data_received(part)
            await asyncio.sleep(0)
            assert not asking.done()
        exchange.data_received(b"k")
        return await asking

    assert asyncio.run(run()).endswith(b"ok")


def test_a_request_is_never_much_longer_than_a_service_takes() -> None:
    assert max(len(hostile_request(3, number).data) for number in range(300)) < 4_000_000


def test_growing_memory_is_a_failure_and_the_report_has_every_figure() -> None:
    assert Outcome(Tally(), MOST_GROWTH + 1, 1.0).failed
    outcome = Outcome(Tally(), 3 << 20, 1.5)
    outcome.tally.add(0, VALID, FINE)
    assert not outcome.failed
    assert report(outcome).split("\n") == [
        "requests 1",
        "answers by status 200: 1",
        "ended without an answer 0",
        "5xx that are not an announced 503: 0",
        "hangs of more than 5 s: 0",
        "memory growth 3.0 MB",
        "processor time of the service 1.5 s",
    ]
