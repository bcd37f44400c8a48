"""What the rollout needs of a backend that runs releases: something that serves, and the address of a model."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

import httpx

from services.contract.control_protocol import Split, Workers
from services.contract.engine_images import EngineImage
from services.contract.errors import Refused
from services.rollout.analysis.figures import Seen
from services.rollout.release_store import StoredRelease

# Less than Prometheus waits, of which one that hangs must not take all.
SCRAPE_SECONDS = 2.0


class Unreachable(Refused):
    """A public address cannot be changed now; what serves behind it may be well."""


@dataclass(frozen=True)
class Scraped:
    """A process with its workers, or a container: `client` asks it alone, at `/metrics`."""

    model: str
    replica: str
    release: str
    client: Callable[[], AbstractContextManager[httpx.Client]]


class Serving(Protocol):
    """One loaded release. Calls raise Refused when it does not answer, unless they say otherwise."""

    @property
    def model(self) -> str: ...

    @property
    def release(self) -> str: ...

    def alive(self) -> bool:
        """Whether at least one process of it runs. Never raises."""

    def reachable(self) -> bool:
        """Whether the public address leads here, after `go`. Never raises."""

    def complete(self) -> bool:
        """Whether it has as many replicas as its release asks for. Never raises."""

    def workers(self) -> Workers | None:
        """How its worker processes are, None where nobody counts them here. Never raises, does not wait."""

    def drop_ended(self) -> None:
        """Removes replicas that ended, so that no client is sent there. Never raises, does not wait."""

    def add(self, spare: Self) -> None:
        """Adds the replicas of `spare`, which are ready. Raises Unreachable, too."""

    def wait_ready(self) -> None:
        """Returns when the release is loaded and tested."""

    def check(self, release: StoredRelease) -> None:
        """Replays the golden predictions where only the rollout service asks."""

    def go(self) -> None:
        """Answers at the model's public address; no change when it does already. Raises Unreachable, too."""

    def drain(self) -> None:
        """Takes no more requests, stays loaded. Raises Unreachable, too."""

    def targets(self) -> tuple[str, ...]:
        """Where what is live reaches it before it answers at the public address: sockets, or `host:port`."""

    def hand_on(self, split: Split | None) -> None:
        """From here on hands a share of its requests on, or copies of them; None ends that. What is handed on while
        the targets have no answer it answers itself."""

    def seen(self) -> Seen:
        """What it has counted since it was loaded."""

    def retire(self, grace: float) -> None:
        """Drains, and ends after its last request or `grace` seconds. Never raises."""

    def kill(self) -> None:
        """Ends it at once. Never raises."""


class Backend(Protocol):
    """Runs releases on this machine. A model's public address is assigned once and stays."""

    def start(self, release: StoredRelease) -> Serving:
        """Raises Refused when it cannot be started at all."""

    def adopt(self) -> list[Serving]:
        """What an earlier rollout service left running."""

    def url(self, model: str) -> str | None:
        """Where clients ask for the model, None before it has an address."""

    def open_address(self, model: str) -> None:
        """Assigns the model its address, also while nothing answers there yet. Raises Refused."""

    def close_address(self, model: str) -> None:
        """Clients of the model are refused from here on. Never raises."""

    def publish(self, models: Collection[str]) -> None:
        """Publishes the list of all models to the gateway, where there is one. Raises Unreachable."""

    def watch(self, on_change: Callable[[], None]) -> None:
        """From here on calls `on_change` whenever something that serves, or the way to it, may have ended."""

    def confirm(self, model: str, release: str) -> None:
        """Raises Refused unless the public address answers as `release`."""

    def scraped(self) -> list[Scraped]:
        """What is loaded or loads, and who asks it for its metrics. Raises Refused when that is not known now."""

    def logged(self, model: str) -> Iterator[bytes]:
        """The whole lines of the model's prediction log, in no order. Raises Refused when it cannot be read now."""

    def prune_images(self, kept: Collection[str], dry_run: bool) -> list[EngineImage]:
        """Removes images of releases that are neither `kept` nor about to start; none where images are not used."""

    def close(self) -> None:
        """Ends everything, and starts nothing more."""
