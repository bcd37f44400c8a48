"""Requests of a window by their status, time and latency, counted while the log is read."""

from collections import Counter
from datetime import UTC, datetime

import numpy

from services.contract.monitoring import Traffic, Volume
from services.delivery.monitoring.reservoir import Reservoir

_MOST_TIMES = 100_000
_MOST_BARS = 48
_MINUTE = 60
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2 * 1440, 7 * 1440, 14 * 1440, 28 * 1440)
_SHARES = (0.5, 0.9, 0.99, 0.999)
_ERRORS = 400


class TrafficCounter:
    """Takes a request at a time; its memory grows with the minutes of the window only."""

    def __init__(self) -> None:
        self._by_status: Counter[int] = Counter()
        self._requests, self._rows, self._errors = (Counter[int]() for _ in range(3))
        self._seconds = Reservoir[float](_MOST_TIMES)
        self._first, self._last = float("inf"), float("-inf")

    def count(self, at: datetime, status: int, rows: int, seconds: float) -> None:
        moment = at.timestamp()
        minute = int(moment // _MINUTE)
        self._first, self._last = min(self._first, moment), max(self._last, moment)
        self._by_status[status] += 1
        self._requests[minute] += 1
        self._rows[minute] += rows
        if status >= _ERRORS:
            self._errors[minute] += 1
        else:
            self._seconds.offer(seconds)

    def found(self) -> Traffic:
        some = bool(self._requests)
        return Traffic(
            requests=self._requests.total(),
            rows=self._rows.total(),
            since=_moment(self._first) if some else None,
            until=_moment(self._last) if some else None,
            by_status={str(status): count for status, count in sorted(self._by_status.items())},
            latency_ms=_quantiles(self._seconds.kept),
            volume=self._volume() if some else (),
        )

    def _volume(self) -> tuple[Volume, ...]:
        """In spans of a usual length, without those in which nothing came."""
        first, last = min(self._requests), max(self._requests)
        width = next((one for one in _WIDTHS if (last - first) // one < _MOST_BARS), (last - first) // _MOST_BARS + 1)
        spans = [Counter[int](), Counter[int](), Counter[int]()]
        for span, minutes in zip(spans, (self._requests, self._rows, self._errors), strict=True):
            for minute, count in minutes.items():
                span[minute // width * width] += count
        requests, rows, errors = spans
        return tuple(
            Volume(at=_moment(at * _MINUTE), requests=requests[at], rows=rows[at], errors=errors[at])
            for at in sorted(requests)
        )


def _quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    found = numpy.quantile(numpy.array(seconds), _SHARES) * 1000
    return {str(share): float(value) for share, value in zip(_SHARES, found, strict=True)}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
