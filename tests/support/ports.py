"""Ports for the servers of a test."""

import fcntl
import functools
import itertools
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

# Linux takes the ports of outgoing connections from 32768 up: none of those takes one between a look here and its use.
RANGE = range(15_000, 32_000)
SHARES = 17
# A rollout service goes on from its first port for further models and for releases side by side.
APART = 10


def free_port() -> int:
    """One that nobody listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ones, of which no other process that asks here is given any."""
    with ExitStack() as stack:
        return [int(stack.enter_context(_bound()).getsockname()[1]) for _ in range(count)]


def ports_of(share: int) -> list[int]:
    """In any order, so that runs of another user, who takes shares apart from these, seldom meet."""
    size = len(RANGE) // SHARES
    first = share * size
    return random.sample(RANGE[first : first + size : APART], size // APART)


def take_share(folder: Path) -> tuple[int, int]:
    """The first that no living process has, and the descriptor of the file whose lock holds it until it is closed.

    Raises RuntimeError where there is none left.
    """
    folder.mkdir(exist_ok=True)
    for share in range(SHARES):
        held = os.open(folder / str(share), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
        else:
            return share, held
    raise RuntimeError(f"expected at most {SHARES} processes of tests at a time, found as many at work already")


@functools.cache
def _ports() -> Iterator[int]:
    # It is held until this process ends.
    share, _ = take_share(Path(tempfile.gettempdir()) / f"trackback-ports-{os.getuid()}")
    return itertools.cycle(ports_of(share))


def _bound() -> socket.socket:
    for port in _ports():
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
        else:
            return listener
    raise AssertionError("a cycle does not end")
