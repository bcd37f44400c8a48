"""What both sides of a step did in the same time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from services.rollout.analysis.memory import Gained


@dataclass(frozen=True)
class Latencies:
    """`counts` of requests up to each of the `bounds`, in seconds, and one more for those beyond the last.

    Between two bounds they are taken to be spread evenly on a logarithmic scale, on both sides alike.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

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


@dataclass(frozen=True)
class Side:
    """The candidate's or the live release's: requests, `errors` of them answered by a 5xx or not at all, `refused` by a
    4xx; how many answers fell into each bin; restarts."""

    requests: int
    errors: int
    refused: int
    latencies: Latencies
    answers: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0


@dataclass(frozen=True)
class Window:
    """`compared` are shadowed requests of which both answers are known, `disagreed` those of them that differ; `memory`
    is what the candidate had gained at each look."""

    candidate: Side
    live: Side
    compared: int = 0
    disagreed: int = 0
    memory: Sequence[Gained] = ()
