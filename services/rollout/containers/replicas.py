"""The containers of one release, which answer together: while one of them is alive, the release answers."""

import contextlib
import logging
from collections.abc import Iterable, Sequence
from threading import Lock, Thread
from typing import Self

from services.contract.control_protocol import Split, Workers
from services.contract.errors import Refused
from services.rollout.analysis.figures import Seen
from services.rollout.containers.route import Route
from services.rollout.containers.serving_container import ServingContainer
from services.rollout.containers.together import Together
from services.rollout.release_store import StoredRelease

log = logging.getLogger(__name__)


class Replicas:
    """A Serving. It begins with one container; the others are added when that one answers."""

    def __init__(self, containers: Sequence[ServingContainer], route: Route) -> None:
        self._containers = tuple(containers)
        self._route = route
        self.model = containers[0].model
        self.release = containers[0].release
        self._wanted = containers[0].replicas
        self._together = Together(containers)
        # What all are told, those that come later too.
        self._split: Split | None = None
        self._telling = Lock()

    def alive(self) -> bool:
        return bool(self._living())

    def reachable(self) -> bool:
        with contextlib.suppress(Refused):
            return self._route.routes_to([container.name for container in self._containers])
        return False

    def complete(self) -> bool:
        return len(self._living()) == len(self._containers) == self._wanted

    def workers(self) -> Workers | None:
        """A container's parent replaces them by itself, and tells nobody but its log."""
        return None

    def drop_ended(self) -> None:
        living = self._living()
        dead = [container for container in self._containers if container not in living]
        self._containers = tuple(living)
        for container in dead:
            container.stop_traffic()
            Thread(target=container.kill, daemon=True).start()

    def add(self, spare: Self) -> None:
        """A replica that the gateway cannot reach is not added; the caller ends it."""
        with self._telling:
            if self._split:
                _tell(spare._containers, self._split)
            before, self._containers = self._containers, (*self._containers, *spare._containers)
        try:
            self.go()
        except Refused:
            self._containers = before
            raise
        self._together.join(spare._containers)
        log.warning("%s: %d of %d replicas answer", self.model, len(self._containers), self._wanted)

    def wait_ready(self) -> None:
        for container in self._containers:
            container.wait_ready()

    def check(self, release: StoredRelease) -> None:
        for container in self._containers:
            container.check(release)

    def go(self) -> None:
        self._route.route_to({container.name: container.address for container in self._living()})

    def drain(self) -> None:
        for container in self._containers:
            self._route.drain(container.name)

    def targets(self) -> tuple[str, ...]:
        return tuple(container.address for container in self._living())

    def hand_on(self, split: Split | None) -> None:
        with self._telling:
            self._split = None
            try:
                _tell(self._living(), split)
            except Refused:
                with contextlib.suppress(Refused):
                    _tell(self._living(), None)
                raise
            self._split = split

    def seen(self) -> Seen:
        return self._together.seen(self._living())

    def retire(self, grace: float) -> None:
        for container in self._containers:
            Thread(target=container.stop_and_clean_up, args=(grace,), daemon=True).start()

    def kill(self) -> None:
        self.stop_and_clean_up(0.0)

    def stop_and_clean_up(self, grace: float) -> None:
        threads = [Thread(target=container.stop_and_clean_up, args=(grace,)) for container in self._containers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _living(self) -> list[ServingContainer]:
        return [container for container in self._containers if container.alive()]


def _tell(containers: Iterable[ServingContainer], split: Split | None) -> None:
    """Raises Refused for the first that does not obey, unless it has ended."""
    for container in containers:
        try:
            container.hand_on(split)
        except Refused:
            if container.alive():
                raise
