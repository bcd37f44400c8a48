"""What both sides of a step did in the same time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Latencies:
    """`counts` of requests up to each of the `bounds`, in seconds, and one more for those beyond the last."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    def since(self, before: Self) -> Self:
        return type(self)(self.bounds, tuple(now - then for now, then in zip(self.counts, before.counts, strict=True)))

    def quantile_bound(self, share: float) -> float | None:
        """The bound up to which at least this share of the requests took; None beyond the last, or of no request."""
        wanted, seen = share * sum(self.counts), 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return None

    def slower_than(self, seconds: float) -> int:
        """How many took surely longer."""
        return sum(count for bound, count in zip((0.0, *self.bounds), self.counts, strict=True) if bound >= seconds)


@dataclass(frozen=True)
class Side:
    """The candidate's or the live release's: requests, `errors` of them answered by a 5xx or not at all, `refused` by a
    4xx; how many answers fell into each bin; restarts; resident bytes at the start and now."""

    requests: int
    errors: int
    refused: int
    latencies: Latencies
    answers: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0
    resident_bytes: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Window:
    """`compared` are shadowed requests of which both answers are known, `disagreed` those of them that differ."""

    candidate: Side
    live: Side
    compared: int = 0
    disagreed: int = 0
