"""The id of a request: the client's own where it has a safe one, else one that no other process gives."""

import re
import secrets
from collections.abc import Iterable
from itertools import count

from services.contract.prediction_log import REQUEST_ID

HEADER = b"x-request-id"
_SAFE = re.compile(REQUEST_ID.encode())


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
