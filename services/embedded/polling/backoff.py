"""How long a material rests after a failed poll, by the rule of GoCD's ExponentialBackOff.

At first a fixed time, then half as much again as has passed since the failure before, at most a longest one; so a poll
that is forced soon after a failure, and fails too, makes the rest short. A poll that goes well forgets all of it.
"""

from dataclasses import dataclass

GROWTH = 1.5


@dataclass(frozen=True)
class Rhythm:
    """Seconds between polls that went well, and those after the first failure and at most."""

    poll: float
    backoff: float
    backoff_max: float


class Backoff:
    def __init__(self, rhythm: Rhythm) -> None:
        self._rhythm = rhythm
        self._failed_at: float | None = None

    def rest(self, succeeded: bool, now: float) -> float:
        """Seconds until the next poll of one that ended `now`, whoever asked for it."""
        if succeeded:
            self._failed_at = None
            return self._rhythm.poll
        before, self._failed_at = self._failed_at, now
        block = self._rhythm.backoff if before is None else GROWTH * (now - before)
        return max(self._rhythm.poll, min(block, self._rhythm.backoff_max))
