"""What a live release did lately: its load of another day says nothing of a release that takes over now."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from services.contract.errors import Refused
from services.rollout.analysis.figures import Seen
from services.rollout.serving import Serving

EVERY_SECONDS = 60.0
_MOST = 60


@dataclass(frozen=True)
class _Sample:
    at: float
    of: Serving
    seen: Seen


class Recent:
    """A sample a minute of the last hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples = deque[_Sample](maxlen=_MOST)

    def look(self, serving: Serving | None) -> None:
        """Takes a sample when one is due."""
        now = self._clock()
        last = self._samples[-1] if self._samples else None
        if serving and not (last and last.of is serving and now - last.at < EVERY_SECONDS):
            with suppress(Refused):
                self._samples.append(_Sample(now, serving, serving.seen()))

    def before(self, serving: Serving, now: Seen, seconds: float, requests: int) -> Seen:
        """What it had counted so many seconds ago, or longer ago if it had not answered so many requests since then;
        nothing where it has not in the last hour."""
        for sample in reversed(self._samples):
            long_ago = sample.of is serving and self._clock() - sample.at >= seconds
            if long_ago and now.figures.since(sample.seen.figures).requests >= requests:
                return sample.seen
        return Seen()
