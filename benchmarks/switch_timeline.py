"""Which releases may answer when, as the one who switches knows it; what else answers is stale."""

import time
from collections.abc import Callable

_SHOWN = 12


class Timeline:
    """Told of each switch before it is asked for and after it was confirmed, from any thread.

    After its confirmation a connection that is opened meets `live` alone. One that was open already may get one more
    answer of the release before, the last of that connection, and only within `window` seconds.
    """

    def __init__(self, window: float = float("inf"), clock: Callable[[], float] = time.perf_counter) -> None:
        self.live = ""
        self.stale: list[str] = []
        self._window, self._clock = window, clock
        self._candidate = ""
        self._replaced: dict[str, float] = {}
        self._withdrawn: dict[str, float] = {}

    def begin(self, candidate: str) -> None:
        """It may answer from here on, beside what is live."""
        self._candidate = candidate

    def confirm(self) -> None:
        """The candidate alone is live from here on."""
        self._replaced[self.live] = self._clock()
        self._replaced.pop(self._candidate, None)
        self._withdrawn.pop(self._candidate, None)
        self.live, self._candidate = self._candidate, ""

    def withdraw(self) -> None:
        """The candidate was taken back: nothing that is asked from here on has an answer of it."""
        at = self._replaced if self._candidate in self._replaced else self._withdrawn
        at.setdefault(self._candidate, self._clock())
        self._candidate = ""

    def judge(self, release: str, opened: float, asked: float, last: bool) -> None:
        """`opened` and `asked` are when the client began to open the connection, and asked; `last` whether the answer
        ends the connection."""
        if release in (self.live, self._candidate):
            return
        if problem := self._problem(release, opened, asked, last):
            self.stale.append(f"{release[:_SHOWN]} answered while {self.live[:_SHOWN]} was live: {problem}")

    def _problem(self, release: str, opened: float, asked: float, last: bool) -> str:
        if (withdrawn := self._withdrawn.get(release)) is not None:
            return f"asked {asked - withdrawn:.3f} s after it was taken back" if asked > withdrawn else ""
        if (replaced := self._replaced.get(release)) is None:
            return "it never was to answer"
        if asked <= replaced:
            return ""
        if opened > replaced:
            return f"on a connection opened {opened - replaced:.3f} s after the switch was confirmed"
        if not last:
            return "asked after the switch was confirmed, and the connection goes on"
        late = asked - replaced
        return f"asked {late:.3f} s after the switch was confirmed" if late > self._window else ""
