"""What a client may take of a service before its request is known; asked over raw sockets, bounded by conditions."""

import asyncio
from itertools import repeat
from typing import Any

import pytest

from services.contract.connection_slots import ConnectionSlots
from services.contract.http_protocol import HeadLimits, limited
from tests.support.raw_http import CHUNKED, HEAD, NET_SECONDS, SLOW, WHOLE, Service, all_of, serving, tell

QUICK = HeadLimits(size=4000, lines=20, seconds=0.2, idle_seconds=0.2, connections=12, connections_a_peer=6)
ENDLESS = {
    "a line without an end": [HEAD, b"X-Long: "],
    "an address without an end": [b"GET /"],
    "a name without an end": [HEAD],
    "a method without an end": [],
}


@pytest.mark.parametrize("case", ENDLESS)
def test_headers_without_an_end_are_refused_after_so_many_bytes(case: str) -> None:
    async def scenario(service: Service) -> None:
        answer = await service.whole_answer(iter([*ENDLESS[case], *repeat(b"a" * 1000, 40_000)]))
        assert answer.startswith((b"HTTP/1.1 431 Request Header Fields Too Large\r\n", b"HTTP/1.1 400 ")), answer[:100]
        assert answer.startswith(b"HTTP/1.1 431 ") or case == "a method without an end"
        assert await service.is_answered()

    tell(SLOW, scenario)


@pytest.mark.parametrize(
    "headers",
    [b"a: b\r\n" * 21, b"a: " + b"b" * 4000 + b"\r\n", (b"a: " + b"b" * 400 + b"\r\n") * 10],
    ids=["too many", "one too long", "too long together"],
)
def test_headers_that_end_are_counted_as_well(headers: bytes) -> None:
    async def scenario(service: Service) -> None:
        answer = await service.whole_answer(iter([WHOLE[:-2] + headers + b"\r\n"]))
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b'"expected at most 20 headers in 4000 bytes, found more: send fewer"' in answer

    tell(SLOW, scenario)


@pytest.mark.parametrize(
    "rest", [b"0\r\nX-Trailer: ", b"1;note=", b"0\r\n"], ids=["a trailer", "a note beside a chunk", "trailers"]
)
def test_what_comes_beside_a_body_has_limits_too(rest: bytes) -> None:
    async def scenario(service: Service) -> None:
        endless = repeat(b"a: b\r\n" * 100 if rest == b"0\r\n" else b"a" * 1000, 40_000)
        answer = await service.whole_answer(iter([CHUNKED + rest, *endless]))
        assert b" 200 " not in answer
        assert await service.is_answered()

    tell(SLOW, scenario)


def test_many_requests_on_one_connection_are_counted_one_by_one() -> None:
    async def scenario(service: Service) -> None:
        reader, writer = await service.connect()
        writer.write((WHOLE[:-2] + b"a: b\r\n" * 19 + b"\r\n") * 50)
        for _ in range(50):
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), NET_SECONDS)).startswith(b"HTTP/1.1 200 ")
        writer.write(CHUNKED + b"400\r\n" + b"x" * 1024 + b"\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"ok"), NET_SECONDS)).startswith(b"HTTP/1.1 200 ")
        writer.close()

    tell(SLOW, scenario)


@pytest.mark.parametrize(
    ("sent", "first", "last"),
    [
        (b"", b"", b""),
        (b"\r\n\r\n", b"", b"HTTP/1.1 408 "),
        (HEAD + b"X-Slow: ", b"", b"HTTP/1.1 408 "),
        (WHOLE + b"\r\n", b"HTTP/1.1 200 ", b""),
        (WHOLE + HEAD, b"HTTP/1.1 200 ", b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "empty lines", "half a head", "a request and an empty line", "a request and half a head"],
)
def test_headers_that_do_not_come_end_the_connection(sent: bytes, first: bytes, last: bytes) -> None:
    async def scenario(service: Service) -> None:
        answer = await service.whole_answer(iter([sent]))
        assert answer.startswith(first or last)
        assert last in answer

    tell(QUICK, scenario)


def test_a_body_that_nobody_reads_ends_the_connection() -> None:
    async def scenario(service: Service) -> None:
        sent = HEAD.replace(b" / ", b" /deaf ") + b"Content-Length: 1000000000\r\n\r\n"
        assert (await service.whole_answer(iter([sent, *repeat(b"x" * 1000, 10_000)]))).startswith(b"HTTP/1.1 200 ")

    tell(SLOW, scenario)


def test_half_sent_headers_give_way_to_whoever_asks() -> None:
    async def scenario(service: Service) -> None:
        flood = []
        for number in range(40):
            flood.append(client := await service.connect())
            client[1].write(HEAD)
            assert number % 10 or await service.is_answered()
        assert await service.is_answered()
        for reader, _ in flood[: 40 - QUICK.connections_a_peer]:
            assert await asyncio.wait_for(all_of(reader), NET_SECONDS) == b""
        for _, writer in flood:
            writer.close()

    tell(SLOW, scenario)


def test_who_asks_and_who_has_asked_stays_while_others_only_connect() -> None:
    async def scenario(service: Service) -> None:
        resting, asking = await service.connect(), await service.connect()
        resting[1].write(WHOLE)
        assert b"ok" in await asyncio.wait_for(resting[0].readuntil(b"ok"), NET_SECONDS)
        asking[1].write(WHOLE.replace(b" / ", b" /wait "))
        flood = [await service.connect() for _ in range(40)]
        assert await service.is_answered()
        service.app.go_on.set()
        assert b"ok" in await asyncio.wait_for(asking[0].readuntil(b"ok"), NET_SECONDS)
        resting[1].write(WHOLE)
        assert b"ok" in await asyncio.wait_for(resting[0].readuntil(b"ok"), NET_SECONDS)
        for _, writer in (resting, asking, *flood):
            writer.close()

    tell(SLOW, scenario)


def test_one_more_than_can_be_answered_at_once_is_told_so() -> None:
    async def scenario(service: Service) -> None:
        places = [await service.connect() for _ in range(SLOW.connections_a_peer)]
        for _, writer in places:
            writer.write(WHOLE.replace(b" / ", b" /wait "))
        answer = b""
        while not answer.startswith(b"HTTP/1.1 503 "):
            reader, writer = await service.connect()
            writer.write(WHOLE.replace(b" / ", b" /wait "))
            places.append((reader, writer))
            answer = await asyncio.wait_for(reader.readline(), NET_SECONDS) if len(places) > 12 else b""
        other = await service.connect("127.0.0.2")
        other[1].write(WHOLE)
        assert b"200" in await asyncio.wait_for(other[0].readline(), NET_SECONDS)
        for _, writer in (*places, other):
            writer.close()

    tell(SLOW, scenario)


class Connection:
    def __init__(self) -> None:
        self.evicted = False

    def evict(self) -> None:
        self.evicted = True


def test_a_peer_with_too_many_connections_loses_its_own_and_nobody_elses() -> None:
    slots, connections = ConnectionSlots(slots=4, slots_a_peer=2), [Connection() for _ in range(6)]
    assert [slots.acquire(connection, peer) for connection, peer in zip(connections, "aabbbc", strict=True)] == [
        True
    ] * 6
    # The fifth took a slot of its own peer, the sixth that of the oldest.
    assert [connection.evicted for connection in connections] == [True, False, True, False, False, False]


def test_a_closed_connection_frees_its_slot_and_one_that_is_answered_keeps_its_own() -> None:
    slots, connections = ConnectionSlots(slots=2, slots_a_peer=2), [Connection() for _ in range(4)]
    for connection in connections[:2]:
        assert slots.acquire(connection, "a")
        slots.mark_busy(connection)
    assert not slots.acquire(connections[2], "b")
    slots.release(connections[0])
    slots.release(connections[0])
    assert slots.acquire(connections[2], "b")
    slots.mark_busy(connections[2])
    slots.mark_idle(connections[1])
    assert slots.acquire(connections[3], "b")
    assert connections[1].evicted


class Recorder:
    """A transport that remembers what it was given to send at once."""

    def __init__(self, transport: asyncio.Transport, sent: list[bytes]) -> None:
        self._transport, self._sent = transport, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._sent.append(data)
        self._transport.write(data)


def test_an_answer_is_sent_in_one_piece_so_that_one_that_was_begun_is_whole() -> None:
    sent: list[bytes] = []

    class Recorded(limited(SLOW)):  # type: ignore[misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(Recorder(transport, sent))

    async def run() -> None:
        async with serving(SLOW, Recorded) as service:
            assert await service.is_answered()

    asyncio.run(run())
    assert len(sent) == 1
    assert sent[0].startswith(b"HTTP/1.1 200 ")
    assert sent[0].endswith(b"\r\n\r\nok")
