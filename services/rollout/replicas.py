"""The containers of one release, which answer together: while one of them is alive, the release answers."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from threading import Thread

from services.contract.errors import Refused
from services.rollout.route import Route
from services.rollout.serving_container import ServingContainer
from services.rollout.store import StoredRelease

log = logging.getLogger(__name__)
Start = Callable[[StoredRelease], ServingContainer]


class Replicas:
    """A Serving. `start` makes one more container of the release."""

    def __init__(self, containers: Sequence[ServingContainer], route: Route, start: Start) -> None:
        self._containers = tuple(containers)
        self._route = route
        self._start = start
        self.model = containers[0].model
        self.release = containers[0].release
        self._wanted = containers[0].replicas

    def alive(self) -> bool:
        return bool(self._living())

    def reachable(self) -> bool:
        with contextlib.suppress(Refused):
            return self._route.leads_to([container.name for container in self._containers])
        return False

    def whole(self) -> bool:
        return len(self._living()) == len(self._containers) == self._wanted

    def mend(self, release: StoredRelease) -> None:
        """What died is taken out of the gateway first, so that nobody is sent there while others load."""
        living = self._living()
        dead = [container for container in self._containers if container not in living]
        self._containers = tuple(living)
        self.go()
        for container in dead:
            container.kill()
        while len(self._containers) < self._wanted:
            self._add(self._start(release))
            log.warning("%s: %d of %d replicas answer", self.model, len(self._containers), self._wanted)

    def wait_ready(self) -> None:
        for container in self._containers:
            container.wait_ready()

    def check(self, release: StoredRelease) -> None:
        for container in self._containers:
            container.check(release)

    def go(self) -> None:
        self._route.lead_to({container.name: container.address for container in self._living()})

    def drain(self) -> None:
        for container in self._containers:
            self._route.drain(container.name)

    def retire(self, grace: float) -> None:
        for container in self._containers:
            Thread(target=container.see_off, args=(grace,), daemon=True).start()

    def kill(self) -> None:
        self.see_off(0.0)

    def see_off(self, grace: float) -> None:
        threads = [Thread(target=container.see_off, args=(grace,)) for container in self._containers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _living(self) -> list[ServingContainer]:
        return [container for container in self._containers if container.alive()]

    def _add(self, container: ServingContainer) -> None:
        try:
            container.wait_ready()
            self._containers = (*self._containers, container)
            self.go()
        except Refused:
            self._containers = tuple(one for one in self._containers if one is not container)
            container.kill()
            raise
