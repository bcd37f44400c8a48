"""How long requests took, as a histogram that a service counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Self


@dataclass(frozen=True)
class Latencies:
    """`counts` of requests up to each of the `bounds`, in seconds, and one more for those beyond the last.

    Between two bounds they are taken to be spread evenly on a logarithmic scale, on both sides alike.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    def since(self, before: Self) -> Self:
        return type(self)(self.bounds, tuple(now - then for now, then in zip(self.counts, before.counts, strict=True)))

    def quantile(self, share: float) -> float | None:
        """The seconds up to which this share of the requests took; None beyond the last bound, or of no request."""
        left = share * sum(self.counts)
        for low, high, count in self._bins():
            if count and left <= count:
                return float(low * (high / low) ** (left / count))
            left -= count
        return None

    def slower_than(self, seconds: float) -> int:
        """How many took longer; `seconds` are at most the last bound."""
        beyond = self.counts[-1] if self.counts else 0
        return round(beyond + sum(count * _beyond(seconds, low, high) for low, high, count in self._bins()))

    def _bins(self) -> Iterator[tuple[float, float, float]]:
        # The first one has no lower bound: it is as wide as the next.
        first = self.bounds[0] ** 2 / self.bounds[1] if len(self.bounds) > 1 else 0.0
        yield from zip((first, *self.bounds), self.bounds, self.counts, strict=False)


def _beyond(seconds: float, low: float, high: float) -> float:
    """Which share of a bin from `low` to `high` is longer."""
    if not low < seconds < high:
        return float(seconds <= low)
    return log(high / seconds) / log(high / low)
