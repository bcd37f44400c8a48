"""Connections to the unix sockets of a serving process, however long the path of the state folder is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from services.rollout.checks import ANSWER_SECONDS


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Another path to the same socket, by the open folder that it is in. Raises OSError when there is no such folder.

    The address of a unix socket has 107 bytes at most (unix(7)), and a state folder may have more.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def unix_socket_client(path: Path, seconds: float = ANSWER_SECONDS) -> Iterator[httpx.Client]:
    """For HTTP; each answer is waited for so many `seconds`."""
    with short_path(path) as short:
        transport = httpx.HTTPTransport(uds=short, trust_env=False)
        with httpx.Client(transport=transport, base_url="http://candidate", timeout=seconds) as client:
            yield client
