"""Looks at every model, again and again: what there is to do is done within seconds, not when GoCD's timers allow."""

import threading
from collections.abc import Callable, Sequence

from services.contract.errors import Refused

LOOK_SECONDS = 3.0

# Takes the model's name and does what there is to do for it. What it raises as Refused is said once, and tried again.
Look = Callable[[str], None]


class Follower:
    """Each round, every look is given each model in turn, in the order of `looks`; a refusal stops neither.

    `begin` is called before each round.
    """

    def __init__(
        self,
        models: Callable[[], Sequence[str]],
        looks: Sequence[Look],
        say: Callable[[str], None],
        begin: Callable[[], None] = lambda: None,
        seconds: float = LOOK_SECONDS,
    ) -> None:
        self._models, self._looks, self._say = models, looks, say
        self._begin, self._seconds = begin, seconds
        self._refusals: dict[tuple[str, Look], str] = {}
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
            for look in self._looks:
                self._refusal(model, look, _refused(model, look))

    def _refusal(self, model: str, look: Look, found: str | None) -> None:
        """Says it unless it was said before: what is wrong with a server is the same for every model."""
        if found and found not in self._refusals.values():
            self._say(found)
        self._refusals.pop((model, look), None)
        if found:
            self._refusals[model, look] = found


def _refused(model: str, look: Look) -> str | None:
    try:
        look(model)
    except Refused as refused:
        return str(refused)
    return None
