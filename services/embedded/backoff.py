"""How long a material rests after a failed poll: first a fixed time, then half as much again each time, capped."""

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
        self._rest = 0.0

    def rest(self, succeeded: bool) -> float:
        """Seconds until the next poll."""
        if succeeded:
            self._rest = 0.0
            return self._rhythm.poll
        self._rest = self._rest * GROWTH if self._rest else self._rhythm.backoff
        self._rest = min(self._rest, self._rhythm.backoff_max)
        return self._rest
