"""Memory that goes on growing, told from what a release gains once while it warms up."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

PARTS = 4
# Beside that many looks a step at one of them is no growth in all parts.
FEWEST_LOOKS = 8
_MOST_LOOKS = 512
_MEGABYTE = 1 << 20


class Gained(NamedTuple):
    """Since the step began: what the candidate had answered, and the bytes it had gained beyond the live release."""

    requests: int
    bytes: int


class Growth:
    """Looks at two releases that have the same requests to answer; `then` are their resident bytes at the begin."""

    def __init__(self, candidate: int, live: int = 0) -> None:
        self._candidate, self._live = candidate, live
        self.seen = [Gained(0, 0)]

    def look(self, requests: int, candidate: int, live: int = 0) -> Sequence[Gained]:
        self.seen.append(Gained(requests, candidate - self._candidate - max(0, live - self._live)))
        if len(self.seen) > _MOST_LOOKS:
            # Every second one, and the last.
            self.seen = [*self.seen[:-1:2], self.seen[-1]]
        return self.seen


def by_part(seen: Sequence[Gained]) -> list[float]:
    """The megabytes that were gained in each quarter of the requests, between two looks evenly."""
    marks = [_at(seen, seen[-1].requests * part / PARTS) for part in range(PARTS + 1)]
    return [(now - then) / _MEGABYTE for then, now in pairwise(marks)]


def _at(seen: Sequence[Gained], requests: float) -> float:
    place = bisect_left(seen, requests, key=lambda one: one.requests)
    if place == 0:
        return seen[0].bytes
    before, after = seen[place - 1], seen[place]
    way = (requests - before.requests) / (after.requests - before.requests)
    return before.bytes + way * (after.bytes - before.bytes)
