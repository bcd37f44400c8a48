"""Which requests a candidate is given: a share of them, or of the clients that a header tells apart."""

from collections.abc import Iterable
from hashlib import blake2b

from services.prediction.observed.request_ids import HEADER as REQUEST_ID

# The steps of the golden ratio fall evenly at any count, so the share is exact without chance.
_STEP = 0.6180339887498949
# The same step among whole numbers (Knuth, TAOCP, 6.4), by which values that count up fall as evenly.
_WHOLE_STEP, _PLACES = 0x9E3779B97F4A7C15, 1 << 64
_DIGITS, _MOST_DIGITS = b"0123456789", 18


class Chosen:
    """`share` from 0 to 1. Requests with the header `sticky` are chosen by its value: each client stays on one side,
    in every process, and on the candidate's as the share grows. Without a value a request is chosen by itself.

    Every request has an id, the client's or ours: where it is sticky, one that is asked again stays on its side too.
    """

    def __init__(self, share: float, sticky: str | None = None) -> None:
        self._share = share
        self._sticky = (sticky or "").lower().encode()
        self._place = 0.0

    def takes(self, headers: Iterable[tuple[bytes, bytes]], request_id: str = "") -> bool:
        if self._sticky and (value := self._value(headers, request_id)):
            return place_of(value) < self._share
        self._place = (self._place + _STEP) % 1
        return self._place < self._share

    def _value(self, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> bytes | None:
        # As it is answered and logged: an unsafe one of a client's was replaced.
        if self._sticky == REQUEST_ID:
            return request_id.encode()
        return dict(headers).get(self._sticky)


def place_of(value: bytes) -> float:
    """From 0 to 1, by the value alone."""
    name = value.rstrip(_DIGITS)
    number = int(value[len(name) :][-_MOST_DIGITS:] or 0)
    start = int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
    return (start + number * _WHOLE_STEP) % _PLACES / _PLACES
