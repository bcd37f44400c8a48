"""Which requests a candidate answers: a share of them, or of the clients that a header tells apart."""

from collections.abc import Iterable
from zlib import crc32

# The steps of the golden ratio fall evenly at any count, so the share is exact without chance.
_STEP = 0.6180339887498949
_HASHES = 1 << 32


class Chosen:
    """`share` from 0 to 1. Requests with the header `sticky` are chosen by its value: each client stays on one side."""

    def __init__(self, share: float, sticky: str | None = None) -> None:
        self._share = share
        self._sticky = sticky.lower().encode() if sticky else None
        self._place = 0.0

    def takes(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        if self._sticky and (value := dict(headers).get(self._sticky)) is not None:
            return crc32(value) < self._share * _HASHES
        self._place = (self._place + _STEP) % 1
        return self._place < self._share
