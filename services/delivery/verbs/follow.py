"""Calls every reconciler for every model, round after round, seconds apart; GoCD's own timers take minutes."""

import threading
from collections.abc import Callable, Sequence

from services.contract.errors import Refused

ROUND_SECONDS = 3.0

# Takes the model's name and does what there is to do for it. What it raises as Refused is said once, and tried again.
Reconciler = Callable[[str], None]


class Follower:
    """Each round, every reconciler is given each model in turn, in the order of `reconcilers`; a refusal stops neither.

    `begin` is called before each round.
    """

    def __init__(
        self,
        models: Callable[[], Sequence[str]],
        reconcilers: Sequence[Reconciler],
        say: Callable[[str], None],
        begin: Callable[[], None] = lambda: None,
        seconds: float = ROUND_SECONDS,
    ) -> None:
        self._models, self._reconcilers, self._say = models, reconcilers, say
        self._begin, self._seconds = begin, seconds
        self._refusals: dict[tuple[str, Reconciler], str] = {}
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Until it is stopped."""
        while not self._stop.is_set():
            self.round()
            self._stop.wait(self._seconds)

    def round(self) -> None:
        self._begin()
        for model in self._models():
            for reconciler in self._reconcilers:
                self._refusal(model, reconciler, _refused(model, reconciler))

    def _refusal(self, model: str, reconciler: Reconciler, found: str | None) -> None:
        """Says it unless it was said before: what is wrong with a server is the same for every model."""
        if found and found not in self._refusals.values():
            self._say(found)
        self._refusals.pop((model, reconciler), None)
        if found:
            self._refusals[model, reconciler] = found


def _refused(model: str, reconciler: Reconciler) -> str | None:
    try:
        reconciler(model)
    except Refused as refused:
        return str(refused)
    return None
