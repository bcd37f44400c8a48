"""Workers that accept on one socket share its connections."""

import asyncio
import contextlib
import socket
from functools import partial

import pytest

from services.prediction.workers import acceptor
from services.prediction.workers.acceptor import Acceptor, ShownConnections
from services.prediction.workers.pulse import Page

CONNECTIONS = 30


class Kept(asyncio.Protocol):
    def __init__(self, connections: ShownConnections) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connections.add(self)


async def shares(beating: int, before: int = 0) -> list[int]:
    """Connections of two workers, of which the first `beating` ones are alive and the others are only there.

    The first one had some `before`.
    """
    page = Page(2)
    own = [ShownConnections(page.pulse(number)) for number in range(2)]
    for number in range(beating):
        page.pulse(number).beat()
    own[0].update(range(before))
    page.pulse(0).show_connections(before)
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS))
        workers = [
            Acceptor(listening.dup(), partial(Kept, own[number]), page.pulse(number), page.others(number))
            for number in range(beating)
        ]
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(listening.getsockname()))
        while sum(map(len, own)) < before + CONNECTIONS:
            await asyncio.sleep(0)
        for worker in workers:
            worker.close()
            await worker.wait_closed()
            assert worker.sockets == []
        own[0].difference_update(range(before))
        found = [len(connections) for connections in own]
        for kept in (kept for connections in own for kept in connections):
            kept._transport.abort()
        await asyncio.sleep(0)
        return found


def test_each_worker_has_its_share_of_connections_that_stay_open() -> None:
    found = asyncio.run(shares(2))
    assert abs(found[0] - found[1]) <= 2


def test_a_worker_with_more_connections_leaves_new_ones_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # However slow the other one is here.
    monkeypatch.setattr(acceptor, "YIELD_SECONDS", 3600.0)
    assert asyncio.run(shares(2, before=CONNECTIONS)) == [0, CONNECTIONS]


def test_a_worker_takes_all_when_nobody_shares() -> None:
    assert asyncio.run(shares(1)) == [CONNECTIONS, 0]
