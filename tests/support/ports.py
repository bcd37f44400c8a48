"""Ports for the servers of a test."""

import itertools
import os
import random
import socket
from contextlib import ExitStack

# Linux takes the ports of outgoing connections from 32768 up: none of those takes one between a look here and its use.
RANGE = range(15_000, 32_000)
WORKERS = 17
# A rollout service goes on from its first port for further models and for releases side by side.
APART = 10


def free_port() -> int:
    """One that nobody listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ones, of which no other worker of the same run is given any."""
    with ExitStack() as stack:
        return [int(stack.enter_context(_bound()).getsockname()[1]) for _ in range(count)]


def ports_of(worker: int) -> list[int]:
    """In any order, because runs beside this one look for theirs as well."""
    share = len(RANGE) // WORKERS
    first = worker % WORKERS * share
    return random.sample(RANGE[first : first + share : APART], share // APART)


_PORTS = itertools.cycle(ports_of(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))))


def _bound() -> socket.socket:
    for port in _PORTS:
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
        else:
            return listener
    raise AssertionError("a cycle does not end")
