"""What the containers of one release have counted together, however many of them came and went."""

from collections.abc import Iterable, Sequence
from threading import Lock

from services.contract.errors import Refused
from services.rollout.analysis.figures import Figures, Seen
from services.rollout.containers.serving_container import ServingContainer


class Together:
    """What one had counted before it ended stays, so that no figure goes back, and its end is a restart."""

    def __init__(self, containers: Iterable[ServingContainer]) -> None:
        self._last: dict[str, Seen] = {}
        self._ended, self._restarts = Figures(), 0
        self._lock = Lock()
        self.join(containers)

    def join(self, containers: Iterable[ServingContainer]) -> None:
        with self._lock:
            self._last.update({container.name: Seen() for container in containers})

    def seen(self, living: Sequence[ServingContainer]) -> Seen:
        """Of those that have joined. Memory is that of the largest: the sum grows with each that comes. Raises Refused
        when none answers, or one that lives does not."""
        with self._lock:
            known = (container for container in living if container.name in self._last)
            found = {container.name: seen for container in known if (seen := _seen(container))}
            if not found:
                raise Refused("expected a container that answers, found none")
            self._bury(set(self._last) - set(found))
            self._last.update(found)
            return Seen(
                sum((seen.figures for seen in found.values()), self._ended),
                max(seen.resident_bytes for seen in found.values()),
                self._restarts + sum(seen.restarts for seen in found.values()),
            )

    def _bury(self, ended: Iterable[str]) -> None:
        for name in ended:
            last = self._last.pop(name)
            self._ended += last.figures
            self._restarts += last.restarts + 1


def _seen(container: ServingContainer) -> Seen | None:
    """None of one that ended meanwhile."""
    try:
        return container.seen()
    except Refused:
        if container.alive():
            raise
        return None
