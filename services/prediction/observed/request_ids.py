"""The id of a request: the client's own where it has a safe one, else one that no other process gives."""

import re
import secrets
from collections.abc import Iterable
from itertools import count

HEADER = b"x-request-id"
# It stands in logs, in addresses and on command lines.
_SAFE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


class RequestIds:
    """One a process, made after a fork: random once, and counted from there on."""

    def __init__(self) -> None:
        self._prefix = f"{secrets.token_hex(6)}-"
        self._numbers = count(1)

    def find(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        for name, value in headers:
            if name == b"x-request-id" and _SAFE.fullmatch(value):
                return value.decode()
        return self._prefix + str(next(self._numbers))
