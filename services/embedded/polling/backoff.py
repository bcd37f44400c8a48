"""GoCD's ExponentialBackOff: how long a material rests after a failed poll.

After the first failure it rests for a fixed time, after each further one for 1.5 times as long as has passed since the
failure before, up to a longest time. So a forced poll that fails soon after a failure makes the rest short. A poll that
succeeds resets it.
"""

from dataclasses import dataclass

GROWTH = 1.5


@dataclass(frozen=True)
class PollIntervals:
    """Seconds between polls that succeed, after the first failure, and at most after a failure."""

    poll: float
    backoff: float
    backoff_max: float


class Backoff:
    def __init__(self, intervals: PollIntervals) -> None:
        self._intervals = intervals
        self._failed_at: float | None = None

    def rest(self, succeeded: bool, now: float) -> float:
        """Seconds from `now`, the end of a poll in seconds, until the next one."""
        if succeeded:
            self._failed_at = None
            return self._intervals.poll
        before, self._failed_at = self._failed_at, now
        block = self._intervals.backoff if before is None else GROWTH * (now - before)
        return max(self._intervals.poll, min(block, self._intervals.backoff_max))
