"""Whether a candidate is slow most of the time, or was once, when a machine had something else to do.

Requests that come at the same time are slow together, so a test that takes each for itself is sure too soon: of time, a
second is what counts once.
"""

from collections.abc import Sequence
from typing import NamedTuple

from services.rollout.analysis.latencies import Latencies

FEWEST_LOOKS = 5
_MOST_LOOKS = 512


class Pace(NamedTuple):
    """Of both, what one look found since the one before; the live release's is all of its own where it has no more."""

    candidate: Latencies
    live: Latencies

    def slower(self, seconds: float) -> float | None:
        """The candidate's share of requests that took longer less the live one's; None where one of both has none."""
        sizes = [sum(side.counts) for side in self]
        if not all(sizes):
            return None
        candidate, live = (side.slower_than(seconds) / size for side, size in zip(self, sizes, strict=True))
        return candidate - live


def mostly_slower(paces: Sequence[Pace], seconds: float, margin: float) -> bool:
    """At more than half of the looks, of which there are enough."""
    found = [share for pace in paces if (share := pace.slower(seconds)) is not None]
    return len(found) >= FEWEST_LOOKS and sum(share > margin for share in found) > len(found) / 2


class Paces:
    """Looks at both of a step; `fixed` is the live release's, where it answers no more."""

    def __init__(self, fixed: Latencies | None = None) -> None:
        self._fixed = fixed
        self._before: Pace | None = None
        self.seen: list[Pace] = []

    def look(self, candidate: Latencies, live: Latencies) -> Sequence[Pace]:
        """`candidate` and `live` are what they did since the step began."""
        now, before = Pace(candidate, live), self._before
        self._before = now
        lately = Pace(_less(candidate, before and before.candidate), _less(live, before and before.live))
        self.seen.append(lately._replace(live=self._fixed) if self._fixed else lately)
        if len(self.seen) > _MOST_LOOKS:
            self.seen = self.seen[::2]
        return self.seen


def _less(now: Latencies, before: Latencies | None) -> Latencies:
    return now.since(before) if before and before.bounds == now.bounds else now
